"""Whole numbers that users give."""

from __future__ import annotations

import operator


def as_whole(name: str, value: object, least: int = 1) -> int:
    """Return the value of an argument as an int.

    Raises
    ------
    TypeError, ValueError
        It is not a whole number, or less than `least`.

    Examples
    --------
    >>> from movepages.whole_numbers import as_whole
    >>> as_whole("count", np.int32(3))
    3
    """
    try:
        found = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name}: expected a whole number from {least:,}, got {value!r}") from None
    if found < least:
        raise ValueError(f"{name}: expected a whole number from {least:,}, got {found:,}")
    return found
