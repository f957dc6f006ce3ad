"""Move pages that are hidden from move_pages(2) with migrate_pages(2).

Before Linux 6.6, move_pages(2) takes pages that may not be accessed for absent. migrate_pages(2)
sees them, but it takes nodes instead of addresses, so it moves everything else that the process has
on these nodes too. With CAP_SYS_NICE it also moves shared pages.
"""

from __future__ import annotations

import errno
import os
from typing import Any

import numpy as np

import movepages as mp

from .. import _core
from ..results.outcome import make_error
from ..system.privileges import has_capability
from .move_outcome import Outcome
from .process_move import migrate
from .regions import Regions, kind_of
from .verdict import not_accounted

# linux/capability.h
_CAP_SYS_NICE = 23


def finish(
    pid: int, regions: Regions, target: Any, flags: int, outcome: Outcome, *, all_of_it: bool
) -> None:
    """Move hidden pages if that moves nothing else, then check the result against numa_maps.

    Parameters
    ----------
    all_of_it : bool
        Whether the move may include everything else the process has on the same nodes.
    """
    if outcome.error:
        return
    try:
        if isinstance(target, int) and outcome.failures[mp.PageStatus.ENODATA]:
            _move_hidden(pid, regions, target, flags, outcome, all_of_it=all_of_it)
        on_target = outcome.moved + outcome.already_there
        known = outcome.failed + outcome.not_attempted
        outcome.elsewhere = not_accounted(pid, regions, target, on_target, known)
    except mp.MovePagesError as error:
        outcome.error = error.strerror or str(error)


def _move_hidden(
    pid: int, regions: Regions, node: int, flags: int, outcome: Outcome, *, all_of_it: bool
) -> None:
    away_from = sources(pid, regions, node)
    if not away_from:
        return
    if not all_of_it:
        spares_shared = flags & mp.MPOL_MF_MOVE_ALL or not moves_shared_pages()
        if outcome.failures[mp.PageStatus.EACCES] and not spares_shared:
            return
        if not moves_no_more(pid, regions, away_from):
            return
    migrate_process(pid, away_from, node)
    outcome.forget_hidden()
    again = Outcome(outcome.pages)
    migrate(pid, regions, node, lambda _done: None, again, flags=flags)
    outcome.replace(again)


def sources(pid: int, regions: Regions, node: int) -> list[int]:
    """Return the nodes other than `node` that hold memory of these regions now."""
    process = mp.process(pid)
    now = process.regions()
    chosen = np.isin(now["address"], regions["address"])
    held = now["bytes"][chosen].sum(axis=0)
    return [each for each, n in zip(process.nodes, held, strict=True) if n and each != node]


def moves_no_more(pid: int, regions: Regions, away_from: list[int]) -> bool:
    """Return whether these regions hold all movable memory of a process on some nodes."""
    process = mp.process(pid)
    now = process.regions()
    left = [row for row in now[~np.isin(now["address"], regions["address"])] if not _fixed(row)]
    columns = [process.nodes.index(node) for node in away_from]
    return not any(row["bytes"][columns].any() for row in left)


def moves_shared_pages() -> bool:
    """Return whether the kernel lets this process move pages that other processes map too."""
    return has_capability(_CAP_SYS_NICE) is not False


def migrate_process(pid: int, away_from: list[int], node: int) -> None:
    """Move all memory of a process on the nodes `away_from` to `node`, by migrate_pages(2).

    Raises
    ------
    MovePagesError
        The kernel refused.
    """
    nodes = np.array(away_from, np.int32), np.array([node], np.int32)
    code, _ = _core.migrate_process(pid, *nodes)
    if code:
        why = _WHY.get(code, os.strerror(code))
        raise make_error(code, f"migrate_pages(2) of process {pid} to node {node}: {why}")


def _fixed(row: object) -> bool:
    # Pages that the kernel provides, such as [vdso], stay where they are.
    return kind_of(row) == "kernel"


_WHY = {
    errno.EPERM: "this process may not move the target process, or the target's cpuset forbids the "
    "node; run as the same user or with CAP_SYS_NICE, and choose a node of Mems_allowed_list in "
    "/proc/PID/status",
    errno.ESRCH: "there is no such process; it may have ended",
    errno.EINVAL: "the node has no memory, or this process may not use it; "
    "see 'movepages topology'",
    errno.ENOSYS: "this kernel or a sandbox does not provide the call",
}
