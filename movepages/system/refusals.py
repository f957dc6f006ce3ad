"""Tell refusals of the kernel apart from exceptions that signal handlers raise."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from .._core import read_file


class Refusal:
    """Catches the refusal of a system call in its block, and lets other exceptions pass.

    ``except OSError`` would also catch what a signal handler raises, usually a TimeoutError. A
    refusal is a built-in OSError with an errno. A TimeoutError is never a refusal, because no call
    made here times out. Nothing else in this package catches an OSError.

    Parameters
    ----------
    *others : type of Exception
        Other exceptions that count as a refusal.

    Attributes
    ----------
    error : Exception or None
        The refusal; None if there was none.

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
        """Errno of the refusal, or EIO if it has none; 0 without a refusal."""
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
        # An OSError subclass defined elsewhere comes from a handler, whatever `others` says.
        ours = not isinstance(error, OSError) or type(error).__module__.startswith("movepages.")
        refused = (ours and isinstance(error, self._others)) or is_refusal(error)
        if not isinstance(error, Exception) or not refused:
            return False
        # The traceback would keep this object and the caller's array alive in a reference cycle.
        self.error = error.with_traceback(None)
        return True


def is_refusal(error: object) -> bool:
    """Tell whether a system call raised this error, and not a signal handler."""
    return (
        isinstance(error, OSError)
        and error.errno is not None
        and type(error).__module__ == "builtins"
        and not isinstance(error, TimeoutError)
    )


def is_there(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path exists and this process may look at it.

    `os.path.exists` would return False when a signal handler raises an OSError.
    """
    with Refusal() as refusal:
        os.stat(path)
    return refusal.error is None


def read_if_told(pid: int, name: str) -> bytes | None:
    """Return the content of /proc/PID/`name`; None if it is missing or cannot be read."""
    with Refusal():
        return read_file(f"/proc/{pid or 'self'}/{name}")
    return None
