"""Warnings that moves issue."""

from __future__ import annotations

import sys

from .outcome import MoveResult

_PACKAGE = __name__.partition(".")[0]


def calls_in_package() -> int:
    """Return the stack level, for `warnings.warn` in the caller, of who called this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        level, frame = level + 1, frame.f_back
    return level


class MovePagesWarning(RuntimeWarning):
    """A move failed as a whole; ``on_error="warn"`` lets the program continue.

    Attributes
    ----------
    result : MoveResult or None
        What the move had done before it failed, for programs that turn warnings into errors.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="error", category=MovePagesWarning):
    ...     try:
    ...         move(np.ones(1000), 1023, on_error="warn")
    ...     except MovePagesWarning as warning:
    ...         warning.result.not_attempted == warning.result.pages
    True
    """

    result: MoveResult | None = None


class LayoutWarning(RuntimeWarning):
    """Some data is not where the layout wants it, because a page or huge page moves as a whole.

    Attributes
    ----------
    result : MoveResult or None
        Outcome of the move, for programs that turn warnings into errors. Its `overruled` and `torn`
        count these pages.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="error", category=LayoutWarning):
    ...     r = move(np.ones(1 << 20), topology().allowed_nodes[0])
    >>> r.overruled
    0
    """

    result: MoveResult | None = None
