"""How long one read of some memory takes before a move and after it, by measured bandwidths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..results.bandwidth_passes import pass_seconds
from ..results.kept_bandwidth import bandwidth_of_host
from ..system.machine_key import machine_key
from ..system.target_nodes import machine as machine_if_known


def reading_seconds(
    flows: Mapping[tuple[int, int], int], *, by_all: bool
) -> tuple[float, float] | None:
    """Return the seconds of a read now and after a move.

    Parameters
    ----------
    flows : mapping of (int, int) to int
        As in `Plan`.
    by_all : bool
        Whether the CPUs of all nodes read an equal share of all of it. Otherwise the CPUs nearest
        to where a page goes read it.

    Returns
    -------
    (float, float) or None
        None unless `measure_bandwidth` has measured these nodes, and its figures were kept.
    """
    machine = machine_if_known()
    if machine is None or not machine.cpu_nodes:
        return None
    bandwidth = bandwidth_of_host(machine_key(machine))
    if bandwidth is None:
        return None
    now: Counter[tuple[int, int]] = Counter()
    then: Counter[tuple[int, int]] = Counter()
    for (source, to), nbytes in flows.items():
        readers = machine.cpu_nodes
        if not by_all:
            if to not in machine.nodes:
                return None
            readers = (machine.nearest_cpus(to),)
        for reader in readers:
            now[reader, source] += nbytes // len(readers)
            then[reader, to] += nbytes // len(readers)
    before, after = pass_seconds(bandwidth, now), pass_seconds(bandwidth, then)
    return None if before is None or after is None else (before, after)
