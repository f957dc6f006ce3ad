"""What has to be read of /proc/PID: an error says what to do if it is not told."""

from __future__ import annotations

import errno

from .._core import read_file
from ..results.outcome import MovePagesError, make_error
from ..system.refusals import Refusal, is_there


def read_process(pid: int, name: str) -> bytes:
    """Return what /proc/PID/`name` holds; 0 is this process.

    Raises
    ------
    MovePagesError
        No such process, no permission, a kernel without NUMA, a process without memory, or no
        /proc.
    """
    with Refusal() as refusal:
        text = read_file(f"/proc/{pid or 'self'}/{name}")
    if refusal.error is not None:
        raise _not_told(pid, name, refusal)
    if not text:
        raise make_error(errno.ESRCH, f"process {pid} has ended, or is one of the kernel's")
    return text


def _not_told(pid: int, name: str, refusal: Refusal) -> MovePagesError:
    path = f"/proc/{pid or 'self'}/{name}"
    missing = refusal.code in (errno.ENOENT, errno.ESRCH)
    if missing and not is_there("/proc/self"):
        return make_error(
            errno.ENOENT,
            f"{path} is not there, as /proc is not mounted; mount it (mount -t proc proc /proc), "
            "in a container or a chroot too",
        )
    if missing and not is_there(f"/proc/{pid or 'self'}/maps"):
        return make_error(errno.ESRCH, f"is process {pid} there? It may have ended")
    if missing and name == "numa_maps":
        return make_error(errno.ENOSYS, f"{path}: this kernel was built without CONFIG_NUMA")
    return make_error(
        refusal.code,
        f"{path}: {refusal.why}; may this process look into process {pid}? Run as the same user, "
        "or with CAP_SYS_PTRACE",
    )
