"""Bring the threads and the memory of running processes together on a node."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..migration.move import move
from ..migration.plan import plan
from ..migration.progress import Progress, drawing, parts_of
from ..pages.buffers import Region
from ..query.explain import Call, explain
from ..results.outcome import MovePagesError, MoveResult, make_error
from ..system.target_nodes import unusable_node
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .affinity import ThreadCpus, change_threads, read_threads, refuse_unless_permitted
from .locality import locality
from .localization import Localization
from .regions import Regions, regions_of
from .tree import with_descendants


@dataclass(frozen=True)
class Localize:
    """What to do: arguments of `Process.localize`."""

    node: int
    # The CPUs near a device; None: those near the node.
    near_cpus: tuple[int, ...] | None
    cpus: bool
    memory: bool
    children: bool
    whole: bool
    dry_run: bool
    flags: int
    progress: Progress | None


def localize(pid: int, how: Localize) -> Localization:
    """Bring threads and memory of a process together, as `Process.localize` documents."""
    machine = read_topology()
    cpus = _cpus_near(machine, how)
    if how.memory and (node := unusable_node([how.node], pid)) is not None:
        code, why = explain(errno.ENODEV, Call(pid, how.flags, refused_node=node))
        raise make_error(code, why)

    def pids() -> list[int]:
        return with_descendants([pid]) if how.children else [pid]

    held, problems = _read(machine, pids(), pid)
    if how.cpus and not how.dry_run:
        refuse_unless_permitted(pid)
    before = locality(machine, _per_node(machine, held), _cpus(read_threads(held)))
    threads = change_threads(pids, cpus if how.cpus else None, dry_run=how.dry_run)
    problems += _left_alone(threads)
    made = Localization(
        node=how.node, cpus=cpus, dry_run=how.dry_run, pids=tuple(held), before=before,
        after=before, threads=tuple(threads), policies=_policies(held),
    )  # fmt: skip
    return (
        _expect(machine, made, held, how, problems)
        if how.dry_run
        else _carry_out(machine, made, pids, how, problems)
    )


def _expect(
    machine: Topology,
    made: Localization,
    held: Mapping[int, Regions],
    how: Localize,
    problems: list[str],
) -> Localization:
    memory, expected = _per_node(machine, held), 0
    for pid, regions in held.items() if how.memory else ():
        found = plan(_to_move(pid, regions, whole=how.whole), how.node)
        for (source, to), nbytes in found.flows.items():
            memory[source] -= nbytes
            memory[to] += nbytes
            expected += nbytes if source != to else 0
        problems += found.problems
    after = locality(machine, memory, (each.after for each in made.threads))
    return replace(made, after=after, expected_bytes=expected, problems=tuple(problems))


def _carry_out(
    machine: Topology,
    made: Localization,
    pids: Callable[[], list[int]],
    how: Localize,
    problems: list[str],
) -> Localization:
    results: dict[int, MoveResult] = {}
    # The threads are where they belong first, so that what they touch meanwhile comes near them.
    held = _read(machine, pids())[0]
    parts = {
        pid: _to_move(pid, regions, whole=how.whole)
        for pid, regions in (held.items() if how.memory else ())
    }
    with drawing(how.progress):
        for pid, progress in zip(parts, parts_of(how.progress, parts.values()), strict=True):
            try:
                results[pid] = move(parts[pid], how.node, flags=how.flags, progress=progress)
            except MovePagesError as error:
                if error.result is not None:
                    results[pid] = error.result
                problems.append(f"the memory of process {pid}: {error.strerror}")
    now = _read(machine, pids())[0]
    after = locality(machine, _per_node(machine, now), _cpus(read_threads(now)))
    return replace(
        made, pids=tuple(held), after=after, results=results, policies=_policies(held),
        problems=tuple(problems),
    )  # fmt: skip


def _read(
    machine: Topology, pids: Iterable[int], must: int | None = None
) -> tuple[dict[int, Regions], list[str]]:
    """Return the mappings of each process, and why those of others than `must` are unknown."""
    found: dict[int, Regions] = {}
    problems: list[str] = []
    for pid in pids:
        try:
            found[pid] = regions_of(pid, machine.memory_nodes)
        except MovePagesError as error:
            if pid == must:
                raise
            # Children come and go.
            if error.errno != errno.ESRCH:
                problems.append(str(error.strerror))
    return found, problems


def _cpus_near(machine: Topology, how: Localize) -> tuple[int, ...]:
    if how.node not in machine.nodes:
        code, why = explain(errno.ENODEV, Call(0, how.flags, refused_node=how.node))
        raise make_error(code, why)
    if not how.cpus:
        return ()
    return machine.cpus_near(how.node) if how.near_cpus is None else how.near_cpus


def _per_node(machine: Topology, held: Mapping[int, Regions]) -> Counter[int]:
    total = Counter[int]()
    for regions in held.values():
        sums = regions["bytes"].sum(axis=0).tolist()
        total.update(dict(zip(machine.memory_nodes, sums, strict=True)))
    return total


def _cpus(threads: Iterable[ThreadCpus]) -> Iterable[tuple[int, ...]]:
    return (each.after for each in threads)


def _own(regions: Regions, *, whole: bool) -> Regions:
    """Return the mappings with memory of the process: those it may write to, or with `whole` all.

    A mapping that changed while it was read has no policy and no bytes, but may hold memory.
    """
    held = (regions["bytes"].sum(axis=1) > 0) | (regions["policy"] == "")
    writable = ["w" in str(permissions) for permissions in regions["permissions"]]
    kernel = [str(name).startswith("[v") for name in regions["name"]]
    own: Regions = regions[held & (whole | np.array(writable, bool)) & ~np.array(kernel, bool)]
    return own


def _to_move(pid: int, regions: Regions, *, whole: bool) -> list[Region]:
    return [
        Region(int(row["address"]), int(row["nbytes"]), pid) for row in _own(regions, whole=whole)
    ]


def _left_alone(threads: Iterable[ThreadCpus]) -> list[str]:
    reasons = Counter(each.problem for each in threads if each.problem)
    return [
        f"the CPUs of {count:,} threads stay as they are: {why}" for why, count in reasons.items()
    ]


def _policies(held: Mapping[int, Regions]) -> dict[str, int]:
    """Return the memory under each policy, most first."""
    found = Counter[str]()
    for regions in held.values():
        for row in _own(regions, whole=False):
            found[str(row["policy"])] += int(row["bytes"].sum())
    del found[""]
    return dict(found.most_common())
