"""Parse and format counts of bytes, counts of pages, lists of ids and names of choices."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_NAMES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?")
_PREFIXES = "KMGTP"
# Far above those of nodes and CPUs: no list of ids from a user fills the memory.
_LARGEST_ID = 65_535
# Far above any bandwidth, and below what a float can hold.
_MOST_RATE = 10**300
_COUNT = re.compile(
    r"\s*(\d+)(?:\.(\d+))?\s*(?:([KMGTP])(i)?)?(B)?\s*(/s)?\s*", re.IGNORECASE | re.ASCII
)


def format_bytes(count: int) -> str:
    """Format a byte count in the largest unit that gives at least 1: '64 MiB', '1.5 GiB'."""
    value, unit = float(count), "B"
    for larger in _NAMES[1:]:
        # From 1023.95 on, a value would print as '1024.0 KiB' and not as '1 MiB'.
        if value < 1023.95:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def format_pages(count: int) -> str:
    """Format a count of pages: '1 page', '1,024 pages'."""
    return f"{count:,} page{'' if count == 1 else 's'}"


def format_seconds(seconds: float) -> str:
    """Format a duration in a unit that gives at least 1, with two digits.

    Examples
    --------
    >>> format_seconds(0.00123), format_seconds(0.1234), format_seconds(12.3)
    ('1.2 ms', '120 ms', '12 s')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1:
            return f"{float(f'{seconds * factor:.2g}'):,g} {unit}"
    return "less than 1 us"


def byte_marks(span: float, most: int = 8) -> tuple[float, str, int]:
    """Return the spacing in bytes of marks on an axis of `span` bytes, a unit, and its size.

    Examples
    --------
    >>> byte_marks(1 << 30), byte_marks(5 << 40, 4)
    ((134217728.0, 'MiB', 1048576), (2199023255552.0, 'TiB', 1099511627776))
    """
    # frexp is exact. log2 rounds, and a step that is slightly too small adds one mark too many.
    share, power = math.frexp(max(span, most) / most)
    step = 2.0 ** (power if share > 0.5 else power - 1)
    # Quarters of a unit are still easy to read.
    unit = min(int(math.log2(step * 4)) // 10, len(_NAMES) - 1)
    return step, _NAMES[unit], 1 << 10 * unit


def parse_size(text: str) -> int:
    """Parse a size in bytes, with or without a unit, as numactl and the GNU tools do.

    Case does not matter. kB, MB, GB, TB and PB are powers of 1000. KiB, MiB ... are powers of
    1024, and so are K, M ... and Ki, Mi ... without a B. A number without a unit counts bytes.

    Raises
    ------
    ValueError
        `text` is not a size, or the size is less than one byte or too large for 64 bits.

    Examples
    --------
    >>> parse_size("64MiB") == parse_size("64m") == 64 * 1024**2
    True
    >>> parse_size("1.5 GB"), parse_size("4096")
    (1500000000, 4096)
    """
    found = _COUNT.fullmatch(text)
    if found is None or found[6]:
        raise ValueError(f"expected a size such as 64MiB, 1G, 64MB or 4096 (bytes), got {text!r}")
    count, of = _bytes_in(found)
    size = count // of
    if size < 1:
        raise ValueError(f"expected at least 1 byte, got {text!r}")
    if size >= 1 << 64:
        raise ValueError(f"expected less than 16 EiB, got {text!r}")
    return size


def parse_rate(given: float | str) -> float:
    """Parse a rate: a string such as "2GiB/s" or "500 MB/s", or a number of bytes a second.

    The units are those of `parse_size`, except that a small b is refused: in rates, it stands for
    bits.

    Raises
    ------
    ValueError
        `given` is not such a rate, or is not above 0.

    Examples
    --------
    >>> parse_rate("500MB/s"), parse_rate("500MiB/s")
    (500000000.0, 524288000.0)
    """
    if isinstance(given, str):
        found = _COUNT.fullmatch(given)
        if found is not None and found[5] == "b":
            raise ValueError(
                f"limit: expected a rate in bytes, with a capital B, got {given!r}; a small b "
                "stands for bits"
            )
        count, of = _bytes_in(found) if found and found[6] else (0, 1)
        rate = count / of if count < _MOST_RATE * of else math.inf
    else:
        try:
            rate = float(given)
        except (TypeError, OverflowError):
            rate = math.nan
    if not 0 < rate < float("inf"):
        raise ValueError(
            f"limit: expected a rate like '2GiB/s' or '500MB/s', or bytes a second, got {given!r}"
        )
    return rate


def _bytes_in(found: re.Match[str]) -> tuple[int, int]:
    """Return the bytes that a match of `_COUNT` stands for, as numerator and denominator."""
    whole, part, prefix, binary, unit, _ = found.groups()
    base = 1000 if unit and not binary else 1024
    power = _PREFIXES.index(prefix.upper()) + 1 if prefix else 0
    return int(whole + (part or "")) * base**power, 10 ** len(part or "")


def parse_ids(text: str) -> tuple[int, ...]:
    """Parse the kernel's list format, ``"0-1,16-17"``, into ascending ids; blank gives none.

    Raises
    ------
    ValueError
        `text` is no such list, or an id is larger than those of any machine.
    """
    ids: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = _RANGE.fullmatch(part)
        first = int(match[1]) if match else 0
        last = int(match[2] or first) if match else -1
        if last < first:
            raise ValueError(f"{part!r} is neither an id nor an ascending range of ids like 0-3")
        if last > _LARGEST_ID:
            raise ValueError(f"{part!r}: expected ids up to {_LARGEST_ID}")
        ids.update(range(first, last + 1))
    return tuple(sorted(ids))


def format_ids(ids: Iterable[int]) -> str:
    """Format ids in the kernel's list format; the inverse of `parse_ids`."""
    ranges: list[list[int]] = []
    for i in sorted(set(ids)):
        if ranges and ranges[-1][1] == i - 1:
            ranges[-1][1] = i
        else:
            ranges.append([i, i])
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)


def refuse_unknown(name: str, given: object, known: Iterable[str]) -> None:
    """Raise ValueError unless `given` is one of the known values; name the nearest of them."""
    choices = list(known)
    if given in choices:
        return
    # Only a typing error pays for this import.
    from difflib import get_close_matches

    near = get_close_matches(str(given), choices, 1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    expected = ", ".join(map(repr, choices))
    raise ValueError(f"{name}: expected one of {expected}, got {given!r}{meant}")
