"""Warnings that moves issue."""

from __future__ import annotations

from .outcome import MoveResult


class MovePagesWarning(RuntimeWarning):
    """A move failed as a whole; ``on_error="warn"`` lets the program continue.

    Attributes
    ----------
    result : MoveResult or None
        What was done by then, for programs that turn warnings into errors.

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
    """Some pages could not follow the layout, because huge pages move as a whole.

    Attributes
    ----------
    result : MoveResult or None
        Outcome of the move, for programs that turn warnings into errors. Its `overruled` counts the
        pages that could not follow the layout.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="error", category=LayoutWarning):
    ...     r = move(np.ones(1 << 20), topology().allowed_nodes[0])
    >>> r.overruled
    0
    """

    result: MoveResult | None = None
