"""Finding: what advise() says about one memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..results.plain import by_node, picked
from .subjects import Subject

Verdict = Literal["leave", "move", "replicate", "bind"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What `advise` says about one memory.

    Attributes
    ----------
    name : str
        Of a member or of a region; empty for a single array.
    nbytes : int
        Bytes of it, whether in memory or not.
    bytes_per_node : mapping of int to int
        Bytes on each node, leaving out nodes that have none.
    near : float or None
        Share of the memory that is near the threads that use it, as far as placement tells; None
        without memory.
    verdict : {"leave", "move", "replicate", "bind"}
        ``bind`` stands for threads that should stay where the memory is.
    layout : str
        Where to, as for ``movepages move --to``: ``1``, ``blocks:0,1``, ``interleave:0,1``; or
        ``by_axis(0, [0, 1])``, ``replicate:0,1``, ``CPUs of node 0``; empty for ``leave``.
    target : object
        The layout itself, for `move`; nodes for ``replicate`` and ``bind``; None for ``leave``.
    reason : str
        One sentence or more.
    to_move : int
        Bytes that would move or be copied.
    near_after : float or None
        What `near` would be then; None where pages are spread, which brings none nearer.
    cost_seconds : float or None
        Estimated duration of the move, at the rate that `calibrate` measures.
    pass_seconds, pass_seconds_after : float or None
        Estimated duration of one read of all of it by all CPUs of these nodes, now and then; None
        unless `measure_bandwidth` has measured this machine.
    passes : int or None
        After how many of these reads the move has paid; None if that is not known.
    problems : tuple of str
        Why the move would not succeed in full, as in `Plan`.
    """

    name: str
    nbytes: int
    bytes_per_node: Mapping[int, int]
    near: float | None
    verdict: Verdict = "leave"
    layout: str = ""
    target: Any = field(default=None, compare=False)
    reason: str = ""
    to_move: int = 0
    near_after: float | None = None
    cost_seconds: float | None = None
    pass_seconds: float | None = None
    pass_seconds_after: float | None = None
    passes: int | None = None
    problems: tuple[str, ...] = ()
    _subject: Subject | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; sizes in bytes."""
        found = picked(self, "name nbytes near verdict layout reason to_move near_after")
        found |= picked(self, "cost_seconds pass_seconds pass_seconds_after passes")
        return found | {
            "bytes_per_node": by_node(self.bytes_per_node),
            "problems": list(self.problems),
        }
