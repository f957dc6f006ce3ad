"""Memory of this process as ranges of whole pages."""

from __future__ import annotations

from ..pages.buffers import footprint_of


def own_ranges(a: object) -> list[tuple[int, int]]:
    """Return start and bytes of each row of pages; refuse what is in another process."""
    footprint = footprint_of(a)
    if footprint.pid:
        raise ValueError(
            "expected memory of this process, as no other's can be bound, asked for its policy or "
            f"touched, got some of pid {footprint.pid}"
        )
    found = [
        (start, pages * footprint.page_size)
        for addresses, counts in footprint.ranges()
        for start, pages in zip(addresses.tolist(), counts.tolist(), strict=True)
    ]
    # Beyond it there is no address to end at, and nobody has memory so far up.
    if found and sum(found[-1]) == 2**64:
        raise ValueError(
            f"expected memory of this process, got {footprint.nbytes:,} bytes up to 2**64"
        )
    return found
