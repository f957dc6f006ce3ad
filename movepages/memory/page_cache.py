"""Map the resident pages of files and shared memory into this process."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.like import MemoryLike
from ..query.procfs import read_process
from ..results.outcome import MovePagesError, make_error
from ..system.advice import MADV_POPULATE_READ
from ..system.maps import Backing, Mapping, parse_lines
from ..system.privileges import has_capability, initial_user_namespace
from ..system.refusals import Refusal
from .own_ranges import own_ranges
from .populate import populate

# Memory without a file on a disk: the kernel tells everybody who maps it which pages are resident.
_NO_FILE = (b"/memfd:", b"/dev/zero", b"/SYSV")
# linux/capability.h
_CAP_FOWNER = 3


def page_cache(file: str | os.PathLike[str], *, read: bool = False) -> npt.NDArray[np.uint8]:
    """Map a file, so that you can query and move its pages in the page cache.

    Parameters
    ----------
    file : path
        A file on a disk or in /dev/shm.
    read : bool, default False
        Also read the rest of the file into memory.

    Returns
    -------
    ndarray of uint8, read-only
        The bytes of the file. Pages that are not in memory are absent until they are read.

    Raises
    ------
    OSError
        The file cannot be opened or mapped.
    ValueError
        The file is a device, a pipe or a socket.
    MovePagesError
        The kernel does not show this user which pages of the file are in memory; see Notes.

    Notes
    -----
    Nothing is read from the disk unless `read` is true. The page cache outlives the process that
    read the file and stays on the nodes where that process ran. ``move(page_cache(file), node)``
    moves it to another node. Pages that other processes also map need ``flags=MPOL_MF_MOVE_ALL``.

    Source: mincore(2), which answers truthfully only if the user owns the file or may write to
    it, and MADV_POPULATE_READ of madvise(2).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     written = file.write(bytes(1 << 20))
    ...     file.flush()
    ...     where(page_cache(file.name)).absent_bytes
    0
    """
    # Check before opening: opening a pipe waits for a writer.
    if stat.S_IFMT(os.stat(file).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(
            f"file: {str(file)!r} is a device, a pipe or a socket, which has no size to map; pass "
            "a file on a disk or in /dev/shm"
        )
    with open(file, "rb") as source:
        size = os.fstat(source.fileno()).st_size
        if size == 0:
            return np.empty(0, np.uint8)
        mapping = mmap.mmap(source.fileno(), size, access=mmap.ACCESS_READ)
    array = np.frombuffer(mapping, np.uint8)
    if read:
        for start, nbytes in own_ranges(array):
            populate(start, nbytes, MADV_POPULATE_READ)
    else:
        fault_in(array)
    return array


def fault_in(a: MemoryLike) -> None:
    """Map the pages of `a` that are already in memory into this process; leave others as they are.

    Until this process has accessed a page of a file or of shared memory, its page tables have no
    entry for it. `where` then reports ``NOT_ENTERED``, even if another process has filled the page.

    Parameters
    ----------
    a : object with memory
        As for `where`, with memory of this process. For instance a memmap, or an array in shared
        memory. Private memory stays as it is.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or is memory of another process.
    MovePagesError
        The kernel does not show this user which pages of a file are in memory; see `page_cache`.

    Notes
    -----
    Source: as for `page_cache`.

    Examples
    --------
    >>> from multiprocessing import shared_memory
    >>> ours = shared_memory.SharedMemory(create=True, size=1 << 20)
    >>> ours.buf[:] = bytes(1 << 20)
    >>> theirs = shared_memory.SharedMemory(ours.name)
    >>> before = where(theirs).absent_bytes
    >>> fault_in(theirs)
    >>> before, where(theirs).absent_bytes
    (1048576, 0)
    >>> theirs.close(); ours.close(); ours.unlink()
    """
    for start, nbytes in own_ranges(a):
        for mapping in _mappings_of(start, start + nbytes):
            _fault_in(mapping)


def _mappings_of(start: int, end: int) -> Iterator[Mapping]:
    """Yield the mappings of files and shared memory within a range, cut to the range."""
    for line in parse_lines(read_process(0, "maps")):
        if line.start < end and line.end > start and line.backing == Backing.OTHER:
            yield line._replace(start=max(start, line.start), end=min(end, line.end))


def _fault_in(mapping: Mapping) -> None:
    code, starts, ends = _core.resident(mapping.start, mapping.end - mapping.start)
    if code:
        raise make_error(code, f"mincore(2): {os.strerror(code)}")
    # The kernel tells users without permission that every page is in memory.
    if starts.tolist() == [mapping.start] and ends.tolist() == [mapping.end] and not _told(mapping):
        raise _not_told(os.fsdecode(mapping.name))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        try:
            populate(start, end - start, MADV_POPULATE_READ)
        except MovePagesError as error:
            # A large page may stay in memory beyond the end of a file that was truncated.
            if error.errno != errno.EFAULT:
                raise


def _not_told(name: str) -> MovePagesError:
    why = (
        f"the kernel tells only the owner of {name!r} and users who may write to it which of its "
        "pages are in memory; read its contents (read=True, or --read in a shell)"
    )
    if name.endswith(" (deleted)"):
        why = (
            f"{name!r} has no name any more, so its owner is not known; the kernel tells only the "
            "owner and users who may write to it which of its pages are in memory; read its "
            "contents"
        )
    return make_error(errno.EPERM, why)


def _told(mapping: Mapping) -> bool:
    """Return whether the kernel tells this user what is in memory (``can_do_mincore``)."""
    if mapping.inode == 0 or mapping.name.startswith(_NO_FILE) or _owns_all():
        return True
    # It also answers for files without a name, such as shared memory that is unlinked once every
    # process has mapped it.
    if _core.tells_what_is_in_memory(mapping.start):
        return True
    with Refusal() as refusal:
        found = os.stat(mapping.name)
    # Another file may have taken the name.
    if refusal.error or found.st_ino != mapping.inode:
        return False
    return found.st_uid == os.geteuid() or os.access(mapping.name, os.W_OK, effective_ids=True)


def _owns_all() -> bool:
    """Return whether this process counts as owner of every file; root in a container might not."""
    return bool(has_capability(_CAP_FOWNER) and initial_user_namespace(Path("/proc/self")))
