"""Judge one memory: what its threads wish, what that costs, and whether it pays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ..migration.calibrate import calibrate, rate_known
from ..migration.forecast import Plan
from ..migration.plan import plan
from ..results.bandwidth import Bandwidth
from ..results.bandwidth_passes import pass_seconds
from ..system.topology import Topology
from ..units import format_bytes, format_seconds
from .finding import Finding
from .mappings import Mappings
from .nearness import near_share
from .subjects import LEAST_BYTES, Subject
from .totals import Totals
from .use import Use
from .wish import Wish
from .wishes import Access, nodes_using, wish_for

# Gains below these are noise of the measurement, or not worth a move.
_LEAST_GAIN = 0.05

_Traffic = dict[tuple[int, int], float]


class Setting(NamedTuple):
    """What all memories of one call are judged by.

    Attributes
    ----------
    machine : Topology
    use : Use
    access : {"parts", "all"}
    balancing : bool
        Whether the kernel moves pages to the threads that use them.
    bandwidth : Bandwidth or None
    totals : Totals
    mappings : Mappings or None
        What the mappings tell of each memory; None if the subjects know it.
    """

    machine: Topology
    use: Use
    access: Access
    balancing: bool
    bandwidth: Bandwidth | None
    totals: Totals
    mappings: Mappings | None = None


def judge(subject: Subject, by: Setting) -> Finding:
    """Return what to do with one memory."""
    placement = subject.placement
    found = Finding(
        name=subject.name, nbytes=placement.nbytes, bytes_per_node=placement.bytes_per_node,
        near=None, _subject=subject,
    )  # fmt: skip
    if not placement.bytes_per_node:
        why = "no memory yet: a page comes from the node of the thread that first writes to it"
        if placement.hidden_bytes:
            why = "its nodes are not known: see movepages doctor"
        return replace(found, reason=why)
    wish = wish_for(by.machine, subject, by.use, by.access, by.totals)
    found = replace(found, near=wish.near, reason=wish.reason)
    if wish.verdict == "leave":
        return found
    if by.mappings is not None:
        subject = by.mappings.told_of(subject)
    if by.balancing and subject.balanced:
        why = "automatic balancing is on and gradually moves pages to the threads that use them"
        return replace(found, reason=f"{why} ({_at_once(wish)})")
    if wish.verdict == "bind":
        found = replace(found, verdict="bind", near_after=1.0)
        found = replace(found, layout=wish.layout, target=wish.target)
        held = found.bytes_per_node
        then = {(wish.target, node): float(nbytes) for node, nbytes in held.items()}
        return _weighed(found, _by_all(held, by), then, by)
    if wish.verdict == "replicate":
        return _of_copies(found, subject, wish, by)
    return _of_a_move(found, subject, wish, by)


def _at_once(wish: Wish) -> str:
    if wish.verdict == "bind":
        return f"binding the threads to the {wish.layout} brings them near it at once"
    if wish.verdict == "replicate":
        return f"{wish.layout} gives each node a copy at once"
    if not wish.by_parts:
        return f"it would not keep pages in {wish.layout}, unless bind() sets this policy"
    where = f"{'node ' * wish.layout.isdecimal()}{wish.layout}"
    return f"the pages belong on {where}: a move brings them there at once"


def _of_a_move(found: Finding, subject: Subject, wish: Wish, by: Setting) -> Finding:
    planned = plan(subject.array, wish.target)
    # The pages of a small part of an array are many more bytes than it has.
    counts = min(planned.to_move, sum(found.bytes_per_node.values()))
    if counts < LEAST_BYTES:
        return replace(found, reason=f"less than 1 MiB of it would move ({format_bytes(counts)})")
    after = _near_after(planned, wish, by)
    if after is not None and after - wish.near < _LEAST_GAIN:
        return replace(found, reason="its huge pages cannot be divided so that more of it is near")
    rate = _rate_of(planned.to_move)
    cost = planned.to_move / rate if rate else None
    found = replace(
        found, verdict="move", layout=wish.layout, target=wish.target, to_move=planned.to_move,
        near_after=after, cost_seconds=cost, problems=(*planned.problems, *_shared(subject)),
    )  # fmt: skip
    if wish.by_parts:
        now, then = _by_parts(planned, wish, by)
    else:
        now = _by_all(found.bytes_per_node, by)
        then = _by_all(planned.expected, by)
    return _weighed(found, now, then, by)


def _of_copies(found: Finding, subject: Subject, wish: Wish, by: Setting) -> Finding:
    nbytes = subject.placement.nbytes
    now = _by_all(found.bytes_per_node, by)
    shares = by.use.shares.items()
    then = {(node, by.machine.nearest_memory(node)): nbytes * share for node, share in shares}
    cost = None
    if by.bandwidth is not None:
        slowest = float(by.bandwidth.copy.min())
        cost = len(wish.target) * 2 * nbytes / 1e9 / slowest
    found = replace(
        found, verdict="replicate", layout=wish.layout, target=wish.target,
        to_move=nbytes * len(wish.target), near_after=1.0, cost_seconds=cost,
    )  # fmt: skip
    return _weighed(found, now, then, by)


def _weighed(found: Finding, now: _Traffic, then: _Traffic, by: Setting) -> Finding:
    """Add what a pass gains, and turn the advice into "leave" if that is nothing."""
    if by.bandwidth is None:
        return found
    before, after = pass_seconds(by.bandwidth, now), pass_seconds(by.bandwidth, then)
    if before is None or after is None:
        return found
    gain = before - after
    if gain < _LEAST_GAIN * before:
        durations = f"{format_seconds(before)} now and {format_seconds(after)} then"
        why = (
            f"a read of all of it takes about {durations}, by the measured bandwidths: it does not "
            "pay"
        )
        return replace(
            found, verdict="leave", layout="", target=None, to_move=0, near_after=None,
            cost_seconds=None, reason=why, pass_seconds=before, problems=(),
        )  # fmt: skip
    passes = None if found.cost_seconds is None else max(math.ceil(found.cost_seconds / gain), 1)
    return replace(found, pass_seconds=before, pass_seconds_after=after, passes=passes)


def _shared(subject: Subject) -> list[str]:
    if subject.mapmax < 2:
        return []
    return [
        f"some of its pages are mapped {subject.mapmax:,} times, perhaps by other processes: those "
        "stay unless MPOL_MF_MOVE_ALL is given (--all), which needs CAP_SYS_NICE"
    ]


def _near_after(planned: Plan, wish: Wish, by: Setting) -> float | None:
    if not wish.by_parts:
        return None
    if wish.home is not None:
        return near_share(by.machine, planned.expected, wish.home)
    overruled = planned.overruled * planned.page_size
    return 1 - overruled / max(planned.in_place + planned.to_move, 1)


def _by_parts(planned: Plan, wish: Wish, by: Setting) -> tuple[_Traffic, _Traffic]:
    """Return the traffic now and then if each page is read by the node that it goes to."""
    now: Counter[tuple[int, int]] = Counter()
    then: Counter[tuple[int, int]] = Counter()
    for (source, to), nbytes in planned.flows.items():
        reader = wish.home
        if reader is None:
            reader = nodes_using(by.machine, by.use, to)
        now[reader, source] += nbytes
        then[reader, to] += nbytes
    return dict(now), dict(then)


def _by_all(held: Mapping[int, int], by: Setting) -> _Traffic:
    return {
        (reader, node): share * nbytes
        for reader, share in by.use.shares.items()
        for node, nbytes in held.items()
    }


def _rate_of(nbytes: int) -> float | None:
    """Return the bytes per second at which so much moves; measure it if it is not known."""
    if rate_known(nbytes) is None:
        calibrate()
    return rate_known(nbytes)
