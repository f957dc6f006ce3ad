"""fault_in() and page_cache(): pages of files and of shared memory that are in memory already."""

import errno
import mmap
import os
import time
from multiprocessing import shared_memory

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, processes

PAGE = memory.PAGE
NOBODY = 65534
TRIES = 50


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(np.arange(64 * PAGE // 8).tobytes())
    return path


def drop_from_memory(path):
    """Make the kernel drop the pages of a file; skip where they cannot be stored elsewhere."""
    with open(path, "rb") as source:
        for _ in range(TRIES):
            os.fsync(source.fileno())
            os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
                start = np.frombuffer(mapping, np.uint8).ctypes.data
                if not len(_core.resident(start, len(mapping))[1]):
                    return
            # The file system may still be busy with some of them.
            time.sleep(0.05)
    pytest.skip(f"needs a file system on a disk, which {path.parent} is not")


def test_file_in_memory_is_mapped_unchanged(file):
    before = file.read_bytes()
    a = mp.page_cache(file)
    assert mp.where(a).absent_bytes == 0
    assert a.tobytes() == before
    assert not a.flags.writeable


def test_pages_not_in_memory_are_not_read(file):
    drop_from_memory(file)
    a = mp.page_cache(file)
    assert mp.where(a).absent_reasons == {mp.Absence.NOT_ENTERED: 64}
    fd = os.open(file, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    os.pread(fd, 1, 10 * PAGE)
    os.pread(fd, 1, 40 * PAGE)
    os.close(fd)
    mp.fault_in(a)
    found = mp.where(a).status >= 0
    assert found[[10, 40]].all()
    assert found.sum() < 64
    read = mp.page_cache(file, read=True)
    assert mp.where(read).absent_bytes == 0


def test_empty_and_missing_file(tmp_path):
    (tmp_path / "empty").touch()
    assert len(mp.page_cache(tmp_path / "empty")) == 0
    with pytest.raises(FileNotFoundError):
        mp.page_cache(tmp_path / "none")
    with pytest.raises(IsADirectoryError):
        mp.page_cache(tmp_path)


def test_device_and_pipe_are_rejected(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/null", tmp_path / "pipe"):
        with pytest.raises(ValueError, match="pass a file on a disk"):
            mp.page_cache(name)


def test_shared_memory_that_another_process_filled():
    with_holes = shared_memory.SharedMemory(create=True, size=32 * PAGE)
    try:

        def fill():
            a = np.frombuffer(with_holes.buf, np.uint8)
            a[: 8 * PAGE] = 1
            a[16 * PAGE] = 1

        processes.run_as(None, fill)
        assert mp.where(with_holes).absent_pages == 32
        mp.fault_in(with_holes)
        found = np.flatnonzero(mp.where(with_holes).status >= 0)
        assert found.tolist() == [*range(8), 16]
    finally:
        with_holes.close()
        with_holes.unlink()


def test_a_part_of_an_array_and_private_memory():
    fd = os.memfd_create("part")
    os.ftruncate(fd, 16 * PAGE)
    os.pwrite(fd, b"x" * 16 * PAGE, 0)
    a = np.frombuffer(mmap.mmap(fd, 16 * PAGE), np.uint8)
    os.close(fd)
    mp.fault_in(a[4 * PAGE : 6 * PAGE])
    # The kernel may map the pages around them as well.
    assert (mp.where(a).status >= 0)[[4, 5]].all()
    private = memory.anonymous(8 * PAGE)
    private[0] = 1
    mp.fault_in(private)
    assert mp.where(private).absent_pages == 7


def test_a_strided_array(file):
    a = np.memmap(file, np.uint8, mode="r").reshape(64, PAGE)
    mp.fault_in(a[::4])
    found = mp.where(a).status >= 0
    assert found[::4].all()


def test_page_cache_of_another_users_file_is_refused(need_root, file):
    for folder in [*file.parents][:-1]:
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    file.chmod(0o644)

    def look():
        with pytest.raises(mp.MovePagesPermissionError, match="read=True") as caught:
            mp.page_cache(file)
        a = mp.page_cache(file, read=True)
        return caught.value.errno, mp.where(a).absent_bytes

    assert processes.run_as(NOBODY, look) == (errno.EPERM, 0)


def test_page_cache_of_another_users_file_is_refused_to_root_without_capabilities(need_root, file):
    os.chown(file, NOBODY, NOBODY)
    file.chmod(0o644)

    def look():
        assert len(mp.page_cache(file)) == 64 * PAGE
        processes.give_up_capabilities()
        with pytest.raises(mp.MovePagesPermissionError, match="read=True") as caught:
            mp.page_cache(file)
        return caught.value.errno

    assert processes.run_as(None, look) == errno.EPERM


@pytest.mark.parametrize("mode", [0o600, 0o444])
def test_fault_in_of_a_deleted_file(need_root, file, mode):
    os.chown(file, NOBODY, NOBODY)
    file.chmod(mode)
    shared, private = (np.memmap(file, np.uint8, mode=how) for how in ("r", "c"))
    file.unlink()

    def look():
        mp.fault_in(shared)
        with pytest.raises(mp.MovePagesPermissionError, match="has no name any more"):
            mp.fault_in(private)
        return mp.where(shared).absent_bytes

    assert processes.run_as(NOBODY, look) == 0


def test_fault_in_of_a_deleted_file_of_another_user(need_root, file):
    file.chmod(0o600)
    a = np.memmap(file, np.uint8, mode="r+")
    file.unlink()

    def look():
        with pytest.raises(mp.MovePagesPermissionError, match="has no name any more"):
            mp.fault_in(a)

    processes.run_as(NOBODY, look)


def test_fault_in_of_another_process_is_rejected():
    with pytest.raises(ValueError, match="of this process"):
        mp.fault_in(mp.Region(0, PAGE, pid=os.getppid()))
    mp.fault_in(mp.Region(PAGE, PAGE))


def test_a_file_that_has_become_shorter(file):
    a = mp.page_cache(file)
    os.truncate(file, 4 * PAGE)
    mp.fault_in(a)
    assert mp.where(a).absent_pages == 60
