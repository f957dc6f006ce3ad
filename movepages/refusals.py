"""What a kernel may refuse, told apart from what a signal handler raises meanwhile."""

from __future__ import annotations

import mmap

from ._core import read_file


def read_if_told(pid: int, name: str) -> bytes | None:
    """Return what /proc/PID/`name` holds; None where it may not be read, or is not there."""
    try:
        return read_file(f"/proc/{pid or 'self'}/{name}")
    except OSError as error:
        pass_on(error)
        return None


def pass_on(error: Exception) -> None:
    """Raise again what no system call has raised, such as the TimeoutError of a signal handler."""
    if isinstance(error, OSError) and error.errno is None:
        raise error


def keep_small(memory: mmap.mmap) -> None:
    """Have no huge pages in it. A kernel that has none does not know the advice."""
    try:
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    except OSError as error:
        pass_on(error)
