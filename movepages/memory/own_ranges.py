"""Memory of this process as ranges of whole pages."""

from __future__ import annotations

from ..inputs.memory_of import memory_of


def own_ranges(a: object) -> list[tuple[int, int]]:
    """Return the start and bytes of each run of pages; refuse memory of another process."""
    _, footprint = memory_of(a)
    if footprint.pid:
        raise ValueError(
            f"expected memory of this process, got memory of pid {footprint.pid}, which cannot be "
            "bound, touched or asked for its policy from here"
        )
    found = [
        (start, pages * footprint.page_size)
        for addresses, counts in footprint.ranges()
        for start, pages in zip(addresses.tolist(), counts.tolist(), strict=True)
    ]
    # The end of such a range is not an address, and no process has memory up there.
    if found and sum(found[-1]) == 2**64:
        raise ValueError(
            f"expected memory of this process, got {footprint.nbytes:,} bytes up to 2**64"
        )
    return found
