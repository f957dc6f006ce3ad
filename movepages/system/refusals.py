"""What a kernel may refuse, told apart from what a signal handler raises meanwhile."""

from __future__ import annotations

import errno
import mmap
import os
from types import TracebackType

from .._core import read_file


class Refusal:
    """Keeps what a system call refuses within its block, and lets everything else pass.

    ``except OSError`` would also catch what a signal handler raises, of which a TimeoutError is the
    usual one. A refusal is an OSError of Python's own with an errno; no call that is made here
    times out. Nothing else in this package catches an OSError.

    Parameters
    ----------
    *others : type of Exception
        What else means that the answer is no.

    Attributes
    ----------
    error : Exception or None
        What was refused, None where nothing was.

    Examples
    --------
    >>> with Refusal() as refusal:
    ...     text = open("/nowhere/at/all").read()
    >>> refusal.code == errno.ENOENT, refusal.why
    (True, 'No such file or directory')
    """

    def __init__(self, *others: type[Exception]) -> None:
        self._others = others
        self.error: Exception | None = None

    @property
    def code(self) -> int:
        """Errno of the refusal, EIO where it has none; 0 where nothing was refused."""
        if self.error is None:
            return 0
        return getattr(self.error, "errno", None) or errno.EIO

    @property
    def why(self) -> str:
        """The refusal in words."""
        return getattr(self.error, "strerror", None) or os.strerror(self.code)

    def __enter__(self) -> Refusal:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        # An OSError of others is a handler's, whatever else is caught.
        ours = not isinstance(error, OSError) or type(error).__module__.startswith("movepages.")
        refused = (ours and isinstance(error, self._others)) or is_refusal(error)
        if not isinstance(error, Exception) or not refused:
            return False
        # Its traceback would keep this object, and the caller's array, alive in a circle.
        self.error = error.with_traceback(None)
        return True


def is_refusal(error: object) -> bool:
    """Tell whether a system call has raised this, and not a signal handler."""
    return (
        isinstance(error, OSError)
        and error.errno is not None
        and type(error).__module__ == "builtins"
        and not isinstance(error, TimeoutError)
    )


def is_there(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is something at a path that this process may look at.

    Not `os.path.exists`, which takes what a signal handler raises for a no.
    """
    with Refusal() as refusal:
        os.stat(path)
    return refusal.error is None


def read_if_told(pid: int, name: str) -> bytes | None:
    """Return what /proc/PID/`name` holds; None where it may not be read, or is not there."""
    with Refusal():
        return read_file(f"/proc/{pid or 'self'}/{name}")
    return None


def keep_small(memory: mmap.mmap) -> None:
    """Have no huge pages in it. A kernel that has none does not know the advice."""
    with Refusal():
        memory.madvise(mmap.MADV_NOHUGEPAGE)
