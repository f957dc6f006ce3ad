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
    """What `advise` recommends for one member or region.

    Attributes
    ----------
    name : str
        Name of the member or region; empty for a single array.
    nbytes : int
        Its size in bytes, absent pages included.
    bytes_per_node : mapping of int to int
        Bytes on each node, leaving out nodes that have none.
    near : float or None
        Share of the present memory that is near the threads that use it, as far as placement shows.
        None if nothing is present, or if there is nothing to compare.
    verdict : {"leave", "move", "replicate", "bind"}
        What to do. ``bind`` means: bind the threads to the node where the memory is.
    layout : str
        The target as text. It is written as for ``movepages move --to`` (``1``, ``blocks:0,1``,
        ``interleave:0,1``), or as ``by_axis(0, [0, 1])``, ``replicate:0,1`` or ``CPUs of node 0``.
        Empty for ``leave``.
    target : object
        The target itself: a node or layout for `move`, nodes for ``replicate``, a node for
        ``bind``, None for ``leave``.
    reason : str
        Why, in one sentence or more.
    to_move : int
        Bytes that would move or be copied.
    near_after : float or None
        What `near` would be afterwards. None if the advice is to interleave, which brings no page
        nearer.
    cost_seconds : float or None
        Estimated duration of the move, at the rate that `calibrate` measures.
    pass_seconds, pass_seconds_after : float or None
        Estimated duration of one read of all of it by all CPUs of the threads' nodes, now and
        afterwards. None unless `measure_bandwidth` has measured this machine.
    passes : int or None
        Number of these reads after which the move has paid for itself; None if that is not known.
    problems : tuple of str
        Reasons why the move would not succeed in full, as in `Plan`.
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
