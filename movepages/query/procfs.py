"""Reads of files in /proc/PID, with errors that say why a read failed and what to do."""

from __future__ import annotations

import errno

from .._core import read_file
from ..results.outcome import MovePagesError, make_error
from ..system.refusals import Refusal, is_there


def read_process(pid: int, name: str) -> bytes:
    """Return the content of /proc/PID/`name`; pid 0 is this process.

    Raises
    ------
    MovePagesError
        The process does not exist or has no memory, permission is missing, the kernel has no NUMA,
        or /proc is not mounted.
    """
    with Refusal() as refusal:
        text = read_file(f"/proc/{pid or 'self'}/{name}")
    if refusal.error is not None:
        raise _not_told(pid, name, refusal)
    if not text:
        raise make_error(errno.ESRCH, f"process {pid} has ended, or is a kernel thread")
    return text


def _not_told(pid: int, name: str, refusal: Refusal) -> MovePagesError:
    path = f"/proc/{pid or 'self'}/{name}"
    missing = refusal.code in (errno.ENOENT, errno.ESRCH)
    if missing and not is_there("/proc/self"):
        return make_error(
            errno.ENOENT,
            f"{path} does not exist: /proc is not mounted; mount it (mount -t proc proc /proc), "
            "also in a container or a chroot",
        )
    if missing and not is_there(f"/proc/{pid or 'self'}/maps"):
        return make_error(errno.ESRCH, f"there is no process {pid} in /proc; it may have ended")
    if missing and name == "numa_maps":
        return make_error(errno.ENOSYS, f"{path}: this kernel was built without CONFIG_NUMA")
    return make_error(
        refusal.code,
        f"{path}: {refusal.why}; if this process may not inspect process {pid}, run as the same "
        "user, or with CAP_SYS_PTRACE, for example with sudo",
    )
