"""Memories for which the same is advised, told in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .advice_view import FindingView

# Memories with the same advice that have a sentence each.
_SINGLE = 2


@dataclass(frozen=True)
class _Sum:
    """Several memories with the same advice as one; see `FindingView`."""

    name: str
    nbytes: int
    bytes_per_node: Mapping[int, int]
    near: float | None
    verdict: str
    layout: str
    reason: str
    to_move: int
    near_after: float | None
    cost_seconds: float | None
    pass_seconds: float | None
    pass_seconds_after: float | None
    passes: int | None
    problems: Sequence[str]


def alike(found: Iterable[FindingView]) -> Iterator[FindingView]:
    """Yield memories, with those that have the same advice and reason as one."""
    groups: dict[tuple[object, ...], list[FindingView]] = {}
    for each in found:
        key = each.verdict, each.layout, each.reason, tuple(each.problems)
        groups.setdefault(key, []).append(each)
    for group in groups.values():
        apart = 1 if group[0].verdict == "leave" else _SINGLE
        yield from group if len(group) <= apart else [_sum(group)]


def _sum(group: list[FindingView]) -> _Sum:
    first = group[0]
    held: Counter[int] = Counter()
    for each in group:
        held.update(each.bytes_per_node)
    before, after = _total(group, "pass_seconds"), _total(group, "pass_seconds_after")
    cost, passes = _total(group, "cost_seconds"), None
    if cost is not None and before is not None and after is not None and before > after:
        passes = max(1, -int(-cost // (before - after)))
    return _Sum(
        name=f"{first.name} and {len(group) - 1:,} more", nbytes=sum(e.nbytes for e in group),
        bytes_per_node=held, near=_mean(group, "near"), verdict=first.verdict,
        layout=first.layout, reason=first.reason, to_move=sum(e.to_move for e in group),
        near_after=_mean(group, "near_after"), cost_seconds=cost, pass_seconds=before,
        pass_seconds_after=after, passes=passes, problems=first.problems,
    )  # fmt: skip


def _total(group: list[FindingView], name: str) -> float | None:
    values = [getattr(each, name) for each in group]
    return None if None in values else float(sum(values))


def _mean(group: list[FindingView], name: str) -> float | None:
    """Return the mean of a share by the bytes that are in memory."""
    pairs = [(getattr(each, name), sum(each.bytes_per_node.values())) for each in group]
    if any(value is None for value, _ in pairs):
        return None
    return float(sum(value * n for value, n in pairs) / max(sum(n for _, n in pairs), 1))
