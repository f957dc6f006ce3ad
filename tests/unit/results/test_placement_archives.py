"""Files of placements: archives that unpack to too much, round trips, and how they are written."""

import os
import stat
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest

import damage
import movepages as mp
from movepages.display.grid import grid
from movepages.pages.runs import RUN_DTYPE
from movepages.results.absence import ABSENCE_DTYPE
from movepages.results.npz_archive import Archive
from movepages.results.npz_directory import DamagedError
from movepages.results.npz_format import pack

# Files are the same on every kernel.
pytestmark = pytest.mark.host

PAGE = damage.PAGE
BASE = 1 << 40


@pytest.fixture
def placement():
    return damage.whole_placement()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.npz"


def sound(count):
    """Return the packed arrays of a placement with this many pages."""
    return {
        "movepages_placement": np.array([BASE, count * PAGE, count, PAGE, 0, 0], np.uint64),
        "runs": np.array([(BASE, count, count * PAGE, 0)], RUN_DTYPE),
        "absences": np.empty(0, ABSENCE_DTYPE),
        "axes": np.empty((2, 0), np.int64),
    }


def bomb(file, name, nbytes):
    """Write an archive with one member of `nbytes` zeros behind a header that fits."""
    kept = sound(nbytes // RUN_DTYPE.itemsize)
    with open(file, "wb") as out:
        pack(out, {key: value for key, value in kept.items() if key != name})
    kind = kept[name].dtype
    text = f"{{'descr': {np.lib.format.dtype_to_descr(kind)!r}, 'fortran_order': False, 'shape': "
    text = f"{text}({nbytes // kind.itemsize},), }}\n"
    head = b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()
    nbytes -= nbytes % kind.itemsize
    squeeze = zlib.compressobj(wbits=-15)
    parts = [squeeze.compress(head)]
    crc = zlib.crc32(head)
    for start in range(0, nbytes, 1 << 20):
        zeros = bytes(min(1 << 20, nbytes - start))
        parts.append(squeeze.compress(zeros))
        crc = zlib.crc32(zeros, crc)
    data = b"".join([*parts, squeeze.flush()])
    _append(file, f"{name}.npy".encode(), data, crc, len(head) + nbytes)


def _append(file, label, data, crc, unpacked):
    whole = file.read_bytes()
    end = struct.unpack("<4s4H2LH", whole[-22:])
    length, start = end[5:7]
    fields = (20, 0, 8, 0, 0x21, crc, len(data), unpacked, len(label), 0)
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, *fields, 0, 0, 0, 0, start) + label
    local = struct.pack("<4s5H3L2H", b"PK\3\4", *fields) + label
    directory = whole[start : start + length] + entry
    count = end[3] + 1
    tail = struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory),
        start + len(local) + len(data), 0,
    )  # fmt: skip
    file.write_bytes(whole[:start] + local + data + directory + tail)


@pytest.mark.parametrize("name", ["movepages_placement", "runs", "absences", "axes"])
def test_archive_that_would_unpack_to_too_much_is_rejected_at_once(file, name):
    bomb(file, name, 100 << 20)
    assert file.stat().st_size < 1 << 20
    tracemalloc.start()
    start = time.thread_time()
    with pytest.raises(ValueError, match="is not a placement"):
        mp.Placement.load(file)
    seconds, (_, peak) = time.thread_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (seconds < 1, peak < 8 << 20) == (True, True), (seconds, peak)


def test_archive_that_declares_too_large_a_size(file):
    with open(file, "wb") as out:
        pack(out, {"runs": np.zeros(1 << 16)})
    whole = bytearray(file.read_bytes())
    # The unpacked size, in the directory.
    at = whole.rindex(b"PK\1\2") + 24
    struct.pack_into("<L", whole, at, 1 << 31)
    file.write_bytes(whole)
    with open(file, "rb") as source, pytest.raises(DamagedError, match="claims more data than"):
        Archive(source, ["runs"])


def test_many_runs_survive_a_file(file):
    count = 200_000
    address = BASE + np.arange(count, dtype=np.uintp) * np.uintp(PAGE)
    status = np.arange(count, dtype=np.int32) % 3 - 2
    runs = np.empty(count, RUN_DTYPE)
    runs["address"], runs["pages"], runs["nbytes"], runs["status"] = address, 1, PAGE, status
    absences = np.empty(np.count_nonzero(status < 0), ABSENCE_DTYPE)
    absences["address"], absences["pages"], absences["reason"] = address[status < 0], 1, 3
    saved = mp.Placement(
        address=BASE, nbytes=count * PAGE, pages=count, page_size=PAGE, shared_edges=0, pid=7,
        runs=runs, absences=absences,
    )  # fmt: skip
    saved.save(file)
    assert damage.same(mp.Placement.load(file), saved)
    with np.load(file) as found:
        assert found["runs"].tolist() == runs.tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda: np.empty(0),
        lambda: np.ones((3, 0, 5)),
        lambda: np.ones((40, 50, 60), np.uint16)[::-2, :, ::3],
        lambda: np.broadcast_to(np.ones(1), (3, 1 << 57)),
        lambda: np.zeros((1 << 20, 16), np.uint8).T[3:],
        lambda: mp.Region(0, 1 << 30),
        lambda: mp.Region((1 << 64) - 3 * PAGE, 3 * PAGE),
    ],
)
def test_every_placement_survives_a_file(file, make):
    saved = mp.where(make())
    saved.save(file)
    found = mp.Placement.load(file)
    assert damage.same(found, saved)
    damage.use_all_of(found, file)


def test_picture_of_more_elements_than_a_float_can_count():
    a = np.broadcast_to(np.ones(1, np.uint8), (3, (1 << 61) + 1))
    placement = mp.where(a)
    assert (grid(placement, 48, 96) == placement.status[0]).all()


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path, placement):
    file, link = tmp_path / "x.npz", tmp_path / "link"
    file.write_text("before")
    file.chmod(0o640)
    link.symlink_to(file)
    placement.save(link)
    assert link.is_symlink()
    assert mp.Placement.load(file) == placement
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "x.npz"]


def test_missing_folder(tmp_path, placement):
    file = tmp_path / "none" / "x.npz"
    with pytest.raises(FileNotFoundError) as caught:
        placement.save(file)
    assert caught.value.filename == str(file)


def test_names_of_all_kinds(tmp_path, placement):
    for name in ("\u00e9" * 120, b"\xff\xfe"):
        file = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
        placement.save(file)
        assert mp.Placement.load(file) == placement


def test_a_link_to_nothing_is_written_through(tmp_path, placement):
    (tmp_path / "link").symlink_to("file")
    placement.save(tmp_path / "link")
    assert mp.Placement.load(tmp_path / "file") == placement


def test_device_is_written_to(placement):
    placement.save("/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_full_disk_leaves_the_old_file(tmp_path, placement, monkeypatch):
    file = tmp_path / "x.npz"
    placement.save(file)
    before = file.read_bytes()

    def full(out, _arrays):
        out.write(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("movepages.results.npz.pack", full)
    with pytest.raises(OSError, match="No space left"):
        placement.save(file)
    assert file.read_bytes() == before
    assert os.listdir(tmp_path) == ["x.npz"]
