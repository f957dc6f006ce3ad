"""Plan: what a move would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from ..layouts.interleave import Interleave
from ..results.outcome import MoveResult
from ..results.plain import by_node, picked
from ..results.wording import TORN
from ..units import format_bytes, format_pages, format_seconds
from .calibrate import rate_known
from .huge_page_targets import OnConflict
from .move import move
from .reading import reading_seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bytes_arriving(flows: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """Return the bytes that arrive on each node from other nodes."""
    found: Counter[int] = Counter()
    for (source, to), nbytes in flows.items():
        if source != to:
            found[to] += nbytes
    return dict(sorted(found.items()))


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan:
    """What a move would have done at the time of the call. Nothing has moved.

    Attributes
    ----------
    pages : int
        Pages that hold the array.
    page_size : int
        Size of a page in bytes.
    flows : mapping of (int, int) to int
        Bytes that would move from one node to another; bytes in place are under ``(n, n)``. Empty
        if a target node is no valid node number.
    absent : int
        Pages without memory, which do not move.
    untargeted : int
        Pages without a target, which stay.
    overruled : int
        Pages that would end up elsewhere, because the target cuts through their huge page, which
        moves as a whole.
    torn : int
        Pages with parts wanted on several nodes, because the layout cuts through single pages, or
        because members share the page.
    split : int
        Huge pages that would be split, with ``on_conflict="split"``. The count includes locked,
        shared and hugetlbfs ones: only the move finds out that they cannot be split.
    wanted, expected : mapping of int to int
        Bytes that the target wants on each node, and bytes that would be there after the move, in
        whole pages. They differ by the overruled pages. Absent pages and pages without a target are
        left out.
    hidden : int
        Present pages on an unknown node: Linux before 6.6 does not report all nodes.
    problems : tuple of str
        Reasons why the move would not succeed in full: nodes that may not be used or lack free
        memory.

    Examples
    --------
    >>> node = topology().allowed_nodes[0]
    >>> p = plan(np.ones(1 << 20), node)
    >>> p.to_move + p.in_place + p.page_size * (p.absent + p.untargeted) == p.page_size * p.pages
    True
    >>> p.execute().ok
    True
    """

    pages: int
    page_size: int
    flows: Mapping[tuple[int, int], int]
    absent: int = 0
    untargeted: int = 0
    overruled: int = 0
    torn: int = 0
    split: int = 0
    wanted: Mapping[int, int] = field(default_factory=dict)
    hidden: int = 0
    problems: tuple[str, ...] = ()
    _why_torn: str = field(compare=False, default=TORN)
    _array: Any = field(compare=False, default=None)
    _target: Any = field(compare=False, default=None)
    _on_conflict: OnConflict = field(compare=False, default="majority")

    def __reduce__(self) -> NoReturn:
        # Pickle and deepcopy would copy the array, and the plan would move the copy.
        raise TypeError(
            "a plan is about memory of this process and cannot be copied or sent: plan() again "
            "there, or send its figures, such as its flows"
        )

    @property
    def to_move(self) -> int:
        """Bytes that would move."""
        return sum(self.arriving.values())

    @property
    def in_place(self) -> int:
        """Bytes already where they are wanted."""
        return sum(n for (source, to), n in self.flows.items() if source == to)

    @property
    def expected(self) -> dict[int, int]:
        """Bytes expected on each node afterwards."""
        found: Counter[int] = Counter()
        for (_, to), n in self.flows.items():
            found[to] += n
        return dict(sorted(found.items()))

    @property
    def arriving(self) -> dict[int, int]:
        """Bytes that would arrive on each node."""
        return bytes_arriving(self.flows)

    @property
    def seconds(self) -> float | None:
        """Estimated duration at the rate that `calibrate` measured; None before a measurement."""
        rate = rate_known(self.to_move)
        return None if rate is None else self.to_move / rate

    @property
    def reading(self) -> tuple[float, float] | None:
        """Estimated seconds of one read of the whole array, now and after the move.

        The estimate assumes that each page is read by the CPUs near its target. If the target is
        `interleave` or `weighted`, it assumes that all CPUs read all pages. None unless
        `measure_bandwidth` has measured this machine.
        """
        return reading_seconds(self.flows, by_all=isinstance(self._target, Interleave))

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; sizes in bytes."""
        reading = self.reading
        found = picked(self, "pages page_size absent untargeted overruled torn split hidden")
        return found | {
            "flows": [{"from": a, "to": b, "nbytes": n} for (a, b), n in self.flows.items()],
            "to_move": self.to_move,
            "in_place": self.in_place,
            "wanted": by_node(self.wanted),
            "expected": by_node(self.expected),
            "seconds": self.seconds,
            "reading": None if reading is None else list(reading),
            "problems": list(self.problems),
        }

    def execute(self, **how: Any) -> MoveResult:
        """Call `move` with the same array and target, in their present state.

        Parameters
        ----------
        **how
            As for `move`: ``progress``, ``deadline``, ``retry``, ``flags`` ... By default,
            ``on_conflict`` has the same value as in the plan.

        Returns
        -------
        MoveResult, or BackgroundMove with ``background=True``

        Raises
        ------
        MovePagesError
            As `move` does.
        """
        how.setdefault("on_conflict", self._on_conflict)
        result: MoveResult = move(self._array, self._target, **how)
        return result

    def __repr__(self) -> str:
        problems = len(self.problems)
        doubts = f", {problems} problem{'' if problems == 1 else 's'}" if problems else ""
        whole = format_bytes(self.pages * self.page_size)
        return f"<Plan {whole}: {format_bytes(self.to_move)} to move{self._duration()}{doubts}>"

    def __str__(self) -> str:
        lines = [f"{'from':>6} {'to':>6} {'bytes':>12}"]
        lines += [
            f"{source:>6} {to:>6} {format_bytes(n):>12}" + ("  in place" if source == to else "")
            for (source, to), n in sorted(self.flows.items())
        ]
        return "\n".join([*lines, *self.remarks])

    @property
    def remarks(self) -> list[str]:
        """Summary of everything but the flows, one sentence for each entry."""
        lines = [f"to move: {format_bytes(self.to_move)}" + self._duration()]
        if self.to_move and (reading := self.reading):
            now, then = map(format_seconds, reading)
            lines.append(f"one read of all of it: about {now} now, {then} then")
        if self.overruled:
            lines += [
                f"node {node}: {format_bytes(self.expected.get(node, 0))} expected, "
                f"{format_bytes(self.wanted.get(node, 0))} wanted"
                for node in sorted({*self.expected, *self.wanted})
            ]
        if self.split:
            lines.append(f"{self.split:,} huge pages to be split")
        for pages, what in (
            (self.absent, "absent: no memory to move"),
            (self.untargeted, "without a target, not to be moved"),
            (self.torn, f"torn: {self._why_torn}"),
            (self.overruled, 'overruled by the rest of their huge page; on_conflict="split" helps'),
        ):
            if pages:
                lines.append(f"{format_pages(pages)} {what}")
        return [*lines, *(f"problem: {each}" for each in self.problems)]

    def _duration(self) -> str:
        return f", about {self.seconds:.2g} s" if self.seconds else ""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the flows between nodes with matplotlib, each band as wide as its bytes.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; by default those of a new figure. Bytes in place are pale.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        ImportError
            matplotlib is missing: install ``movepages[plot]``.

        Examples
        --------
        >>> node = topology().allowed_nodes[0]
        >>> plan(full(1 << 17, 1.0, node=node), node).plot().get_title(loc="left")
        'to move: 0 B'
        """
        from ..display.mpl_flows import plot_flows

        return plot_flows(self.flows, self.remarks, ax)

    def _repr_html_(self) -> str:
        from ..display.html import flows_html

        return flows_html(self.flows, self.remarks)
