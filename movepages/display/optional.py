"""Packages that a user may not have."""

from __future__ import annotations


def is_missing(package: str, error: ModuleNotFoundError) -> bool:
    """Tell whether a package itself is missing, and not one that it needs.

    Examples
    --------
    >>> is_missing("rich", ModuleNotFoundError(name="rich.progress"))
    True
    """
    return (error.name or "").partition(".")[0] == package
