"""The warnings of moves."""

from __future__ import annotations

from .outcome import MoveResult


class MovePagesWarning(RuntimeWarning):
    """A move that failed as a whole, where ``on_error="warn"`` lets the program go on."""


class LayoutWarning(RuntimeWarning):
    """A layout could not be followed by every page, because huge pages move as a whole.

    Attributes
    ----------
    result : MoveResult or None
        Outcome of the move, for programs that turn warnings into errors.

    Examples
    --------
    >>> import warnings
    >>> with warnings.catch_warnings(action="error", category=LayoutWarning):
    ...     r = move(np.ones(1 << 20), topology().allowed_nodes[0])
    >>> r.overruled
    0
    """

    result: MoveResult | None = None
