"""What a journey comes to at a node: a move and the look after it, or that there is no room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import movepages as mp

from ..units import format_bytes
from .look import Look


@dataclass(frozen=True, kw_only=True)
class Step:
    """One move and the look after it.

    Attributes
    ----------
    source : tuple of int
        Nodes the array was on.
    target : int or None
        The node to move to; None for where every page was at the start.
    result : MoveResult
        What `movepages.move` reported.
    look : Look
        What was found afterwards.
    on_target : int
        Pages which the look found where they were wanted.
    error : str
        Why the move ended early, such as a full node; empty if it did not.
    """

    source: tuple[int, ...]
    target: int | None
    result: mp.MoveResult
    look: Look
    on_target: int
    error: str = ""

    @property
    def reported(self) -> int:
        """Pages which the move reported on their target."""
        return self.result.moved + (self.result.already_there or 0)

    @property
    def ok(self) -> bool:
        """True when the look found what the move reported."""
        return self.reported == self.on_target

    @property
    def disagreement(self) -> str:
        """What the move reported and what the look found, in one sentence."""
        where = "where it was" if self.target is None else f"node {self.target}"
        return (
            f"the move to {where} reported {self.reported:,} pages on their target, "
            f"a look afterwards found {self.on_target:,}"
        )

    @property
    def gib_per_second(self) -> float | None:
        """Speed over the pages that moved; None when none did."""
        moved = self.result.moved * self.look.placement.page_size
        return moved / 2**30 / self.result.seconds if moved and self.result.seconds else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings for JSON."""
        result = self.result
        return {
            "from": list(self.source),
            "to": self.target,
            "pages": result.pages,
            "moved": result.moved,
            "already_there": result.already_there or 0,
            "failed": result.failed,
            "failures": {status.name: count for status, count in result.failures.items()},
            "not_attempted": result.not_attempted,
            "seconds": result.seconds,
            "gib_per_second": self.gib_per_second,
            "error": self.error or None,
            "found_on_target": self.on_target,
            "look": self.look.as_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Skip:
    """A node that was left out, as it could become full."""

    node: int
    free: int
    needed: int

    def __str__(self) -> str:
        return (
            f"Node {self.node} is left out: {format_bytes(self.free)} are free there, less than "
            f"twice the {format_bytes(self.needed)} to move."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers for JSON."""
        return {"node": self.node, "memory_free": self.free, "needed": self.needed}
