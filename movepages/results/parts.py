"""Parts: the placements of the members of what was queried as a whole."""

from __future__ import annotations

from ..pages.member_rows import MemberRows
from ..pages.named import NamedFootprints
from ..pages.page_set import PageSet
from ..pages.runs import Runs
from .absence import Absences
from .cut import Cutter
from .placement import Placement


class Parts:
    """Makes the placements of members from those of all their pages together.

    Parameters
    ----------
    total : Placement
    huge : structured ndarray or None
        Runs of the pages that are in huge pages; None if they are not known.
    footprints : NamedFootprints
        The members.
    """

    def __init__(self, total: Placement, huge: Runs | None, footprints: NamedFootprints) -> None:
        self._footprints, size = footprints, footprints.page_size
        self._source = total.source
        self._runs, self._absences = Cutter(total.runs, size), Cutter(total.absences, size)
        self._huge = None if huge is None else Cutter(huge, size)

    def at(self, members: range) -> list[tuple[Placement, Runs | None]]:
        """Return the placements of some members, and their runs in huge pages."""
        rows = MemberRows(self._footprints, members)
        huge = [None] * len(members) if self._huge is None else self._huge.cut(rows)
        columns = zip(members, self._runs.cut(rows), self._absences.cut(rows), huge, strict=True)
        return [(self._placement(*each), each[-1]) for each in columns]

    def _placement(
        self, index: int, runs: Runs, absences: Absences, huge: Runs | None
    ) -> Placement:
        return placement_of(
            self._footprints[index],
            runs,
            absences,
            None if huge is None else int(huge["nbytes"].sum()),
            *self._footprints.shapes.get(index, ((), ())),
            source=self._source,
        )


def placement_of(
    pages: PageSet,
    runs: Runs,
    absences: Absences,
    huge_bytes: int | None = None,
    shape: tuple[int, ...] = (),
    strides: tuple[int, ...] = (),
    *,
    source: str,
) -> Placement:
    """Return the placement of some bytes and pages, given what is known of them."""
    return Placement(
        address=pages.address,
        nbytes=pages.nbytes,
        pages=pages.pages,
        page_size=pages.page_size,
        shared_edges=pages.shared_edges,
        pid=pages.pid,
        runs=runs,
        absences=absences,
        huge_bytes=huge_bytes,
        shape=shape,
        strides=strides,
        source=source,
    )
