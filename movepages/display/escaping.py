"""Names that others chose, such that a terminal obeys nothing in them."""


def printable(name: str) -> str:
    r"""Return a name with an escape in place of each control character.

    Examples
    --------
    >>> print(printable("eth" + chr(27)))
    eth\x1b
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
