"""What has to be read of /proc/PID: an error says what to do if it is not told."""

from __future__ import annotations

import errno

from ._core import read_file
from .errors import MovePagesError, make_error
from .refusals import Refusal, is_there


def read_process(pid: int, name: str) -> bytes:
    """Return what /proc/PID/`name` holds; 0 is this process.

    Raises
    ------
    MovePagesError
        No such process, no permission, or no /proc.
    """
    with Refusal() as refusal:
        return read_file(f"/proc/{pid or 'self'}/{name}")
    raise _not_told(pid, name, refusal)


def _not_told(pid: int, name: str, refusal: Refusal) -> MovePagesError:
    path = f"/proc/{pid or 'self'}/{name}"
    if refusal.code != errno.ENOENT or is_there("/proc/self"):
        gone = refusal.code == errno.ENOENT
        return make_error(
            errno.ESRCH if gone else refusal.code,
            f"{path}: {refusal.why}; is process {pid} there, and one that this process may look "
            "into?",
        )
    return make_error(
        errno.ENOENT,
        f"{path} is not there, as /proc is not mounted; mount it (mount -t proc proc /proc), in a "
        "container or a chroot too",
    )
