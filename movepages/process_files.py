"""Files that /proc has of a process; a refusal is told as that of a call is."""

from __future__ import annotations

import errno
import os

from ._core import read_file
from .errors import make_error
from .refusals import pass_on


def read_process_file(pid: int, name: str) -> bytes:
    """Return what /proc/PID/`name` holds.

    Raises
    ------
    MovePagesError
        No such process, no permission, a kernel without NUMA, or a process without memory.
    """
    path = f"/proc/{pid or 'self'}/{name}"
    try:
        text = read_file(path)
    except OSError as error:
        pass_on(error)
        raise make_error(*_refusal(error, pid, path)) from None
    if not text:
        raise make_error(errno.ESRCH, f"process {pid} has ended, or is one of the kernel's")
    return text


def _refusal(error: OSError, pid: int, path: str) -> tuple[int, str]:
    if error.errno in (errno.ENOENT, errno.ESRCH):
        if not os.path.exists(f"/proc/{pid or 'self'}/maps"):
            return errno.ESRCH, f"is process {pid} there? It may have ended"
        if path.endswith("numa_maps"):
            return errno.ENOSYS, f"{path}: this kernel was built without CONFIG_NUMA"
    return error.errno or errno.EIO, (
        f"{path}: {error.strerror}; may this process look into process {pid}? Run as the same "
        "user, or with CAP_SYS_PTRACE"
    )
