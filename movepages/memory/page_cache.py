"""Files and shared memory: what of them is in memory already, entered in this process."""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .. import _core
from ..query.procfs import read_process
from ..results.outcome import MovePagesError, make_error
from ..system.advice import MADV_POPULATE_READ
from ..system.maps import Backing, Mapping, parse_lines
from ..system.privileges import initial_user_namespace
from ..system.refusals import Refusal
from .own_ranges import own_ranges
from .populate import populate

# Memory without a file on a disk: the kernel tells everybody who maps it what is there.
_NO_FILE = (b"/memfd:", b"/dev/zero", b"/SYSV")
# linux/capability.h
_CAP_FOWNER = 3


def page_cache(file: str | os.PathLike[str], *, read: bool = False) -> npt.NDArray[np.uint8]:
    """Map a file, so that what the page cache holds of it can be looked at and moved.

    Parameters
    ----------
    file : path
        A file on a disk, or of /dev/shm.
    read : bool, default False
        Read the rest of the file into memory too.

    Returns
    -------
    ndarray of uint8, read-only
        The bytes of the file. What is not in memory is absent until somebody reads it.

    Raises
    ------
    OSError
        The file cannot be opened or mapped.
    ValueError
        It is a device, a pipe or a socket.
    MovePagesError
        The kernel does not tell this user what is in memory of the file; see Notes.

    Notes
    -----
    Nothing is read from the disk, unless `read` is true. The page cache outlives the process that
    read the file, on the nodes where that process ran: ``move(page_cache(file), node)`` brings it
    to another. Pages that other processes have mapped too need ``flags=MPOL_MF_MOVE_ALL``.

    Source: mincore(2), which tells the truth to those who own the file or may write to it, and
    MADV_POPULATE_READ of madvise(2).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     written = file.write(bytes(1 << 20))
    ...     file.flush()
    ...     where(page_cache(file.name)).absent_bytes
    0
    """
    # Before it is opened, as to open a pipe waits for whoever writes to it.
    if stat.S_IFMT(os.stat(file).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise ValueError(
            f"file: {str(file)!r} is a device, a pipe or a socket, which has no size to be mapped "
            "by; pass a file on a disk or of /dev/shm"
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


def fault_in(a: object) -> None:
    """Enter those pages of `a` here that are in memory already; what is not stays where it is.

    A page of a file or of shared memory has a node for this process once it has accessed it.
    Before, `where` says ``NOT_ENTERED``, although another process may have filled it.

    Parameters
    ----------
    a : ndarray, buffer or Region of this process
        Such as a memmap or an array in shared memory. Private memory stays as it is.

    Raises
    ------
    TypeError, ValueError
        `a` exposes no memory, or memory of another process.
    MovePagesError
        The kernel does not tell this user what is in memory of a file; see `page_cache`.

    Notes
    -----
    Source: as of `page_cache`.

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
    """Return the parts of mappings within a range, of files and shared memory."""
    for line in parse_lines(read_process(0, "maps")):
        if line.start < end and line.end > start and line.backing == Backing.OTHER:
            yield line._replace(start=max(start, line.start), end=min(end, line.end))


def _fault_in(mapping: Mapping) -> None:
    code, starts, ends = _core.resident(mapping.start, mapping.end - mapping.start)
    if code:
        raise make_error(code, f"mincore(2): {os.strerror(code)}")
    # To whom it does not tell, the kernel says that all is in memory.
    if starts.tolist() == [mapping.start] and ends.tolist() == [mapping.end] and not _told(mapping):
        raise _not_told(os.fsdecode(mapping.name))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        try:
            populate(start, end - start, MADV_POPULATE_READ)
        except MovePagesError as error:
            # Behind the end of a file that has become shorter, a large page may remain in memory.
            if error.errno != errno.EFAULT:
                raise


def _not_told(name: str) -> MovePagesError:
    why = (
        f"the kernel tells only the owner of {name!r}, and who may write to it, what of it is in "
        "memory; read it, or use page_cache(file, read=True)"
    )
    if name.endswith(" (deleted)"):
        why = (
            f"{name!r} has no name any more, by which it could be seen who owns it, and the kernel "
            "tells only the owner, and who may write to it, what of it is in memory; read it"
        )
    return make_error(errno.EPERM, why)


def _told(mapping: Mapping) -> bool:
    """Tell whether the kernel tells this user what is in memory (``can_do_mincore``)."""
    if mapping.inode == 0 or mapping.name.startswith(_NO_FILE) or _owns_all():
        return True
    # Also of what has no name any more, as shared memory that is unlinked once all have it.
    if _core.tells_what_is_in_memory(mapping.start):
        return True
    with Refusal() as refusal:
        found = os.stat(mapping.name)
    # Another file may have the name by now.
    if refusal.error or found.st_ino != mapping.inode:
        return False
    return found.st_uid == os.geteuid() or os.access(mapping.name, os.W_OK, effective_ids=True)


def _owns_all() -> bool:
    """Tell whether every file is as one's own; root may be without that, as in a container."""
    with Refusal() as refusal:
        status = _core.read_file("/proc/thread-self/status")
    if refusal.error:
        return False
    found = re.search(rb"^CapEff:\s*(\w+)", status, re.MULTILINE)
    held = found is not None and bool(int(found[1], 16) >> _CAP_FOWNER & 1)
    return held and initial_user_namespace(Path("/proc/self")) is True
