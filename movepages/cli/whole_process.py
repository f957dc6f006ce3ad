"""Pages that move_pages(2) does not see, moved by migrate_pages(2) with all else of their process.

Before Linux 6.6 move_pages(2) takes pages that may not be accessed for absent. migrate_pages(2)
sees them, but takes nodes and no addresses, and with CAP_SYS_NICE it moves shared pages too.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Any

import numpy as np

import movepages as mp

from .. import _core
from .._core import read_file
from ..results.outcome import make_error
from .process_move import Outcome, migrate
from .regions import Regions, kind_of
from .verdict import not_accounted

_CAP_SYS_NICE = 1 << 23


def settle(
    pid: int, regions: Regions, target: Any, flags: int, outcome: Outcome, *, all_of_it: bool
) -> None:
    """Move what move_pages(2) does not see, if that moves nothing else, and look at the result.

    Parameters
    ----------
    all_of_it : bool
        Whether it may move whatever else the process has on the same nodes.
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
    migrate(pid, regions, node, flags, lambda _done: None, again)
    outcome.replace(again)


def sources(pid: int, regions: Regions, node: int) -> list[int]:
    """Return the nodes, but for `node`, on which regions of a process have memory now."""
    process = mp.process(pid)
    now = process.regions()
    chosen = np.isin(now["address"], regions["address"])
    held = now["bytes"][chosen].sum(axis=0)
    return [each for each, n in zip(process.nodes, held, strict=True) if n and each != node]


def moves_no_more(pid: int, regions: Regions, away_from: list[int]) -> bool:
    """Tell whether all that a process has on some nodes is in these regions."""
    process = mp.process(pid)
    now = process.regions()
    left = [row for row in now[~np.isin(now["address"], regions["address"])] if not _fixed(row)]
    columns = [process.nodes.index(node) for node in away_from]
    return not any(row["bytes"][columns].any() for row in left)


def moves_shared_pages() -> bool:
    """Tell whether the kernel would let this process move pages that others have mapped too."""
    status = read_file("/proc/self/status")
    found = re.search(rb"^CapEff:\s*(\w+)", status, re.MULTILINE)
    return found is None or bool(int(found[1], 16) & _CAP_SYS_NICE)


def migrate_process(pid: int, away_from: list[int], node: int) -> None:
    """Move all that a process has on some nodes to another, by migrate_pages(2).

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
    # What the kernel shows programs stays where it is.
    return kind_of(row) == "kernel"


_WHY = {
    errno.EPERM: "this process may not move that one, or the cpuset of that one forbids the node; "
    "run as the same user or with CAP_SYS_NICE, and choose a node of Mems_allowed_list in "
    "/proc/PID/status",
    errno.ESRCH: "there is no such process; it may have ended",
    errno.EINVAL: "the node has no memory, or is not allowed to this process; "
    "see movepages.topology()",
    errno.ENOSYS: "a sandbox or this kernel does not have the call",
}
