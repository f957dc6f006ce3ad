"""Place and survey arrays on the ranks of an MPI program; needs mpi4py (extra ``mpi``)."""

from __future__ import annotations

from typing import Any

from .cluster.members import Member, Survey
from .cluster.own_arrays import look
from .layouts.blocks import local
from .migration.move import move
from .pages.like import MemoryLike
from .query.syscall import MPOL_MF_MOVE
from .results.outcome import MoveResult

try:
    from mpi4py import MPI
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "mpi4py":
        raise
    raise ImportError(
        "movepages.mpi needs the package mpi4py, which is not installed: "
        "pip install 'movepages[mpi]'"
    ) from missing

__all__ = ["Member", "Survey", "place", "survey"]


def place(a: MemoryLike, *, flags: int = MPOL_MF_MOVE) -> MoveResult:
    """Move this rank's array, or its part of a shared window, near the rank's CPUs.

    The call is local to each rank: nothing is sent, and not all ranks need to call it.

    Parameters
    ----------
    a : object with memory
        As for `movepages.where`, for instance a view of this rank's part of
        ``MPI.Win.Allocate_shared``.
    flags : int, default MPOL_MF_MOVE
        Pages of a window that other ranks have already touched are mapped more than once. They do
        not move (EACCES in ``failures``) unless this is MPOL_MF_MOVE_ALL, which needs CAP_SYS_NICE.
        It is best if each rank places and writes its part before the others access it.

    Returns
    -------
    MoveResult
        The result for this rank. Pages that could not be moved raise no error: see
        ``raise_for_status``.

    Raises
    ------
    MovePagesError
        As for `movepages.move`.

    Examples
    --------
    >>> place(np.ones(1000)).ok
    True
    """
    return move(a, local(), flags=flags)


def survey(a: MemoryLike, comm: Any = None) -> Survey:
    """Return to every rank where the arrays of all ranks are; all ranks of `comm` must call it.

    Parameters
    ----------
    a : object with memory
        As for `movepages.where`: the data of this rank.
    comm : mpi4py.MPI.Comm, default COMM_WORLD

    Returns
    -------
    Survey
        One `Member` for each rank, in order of rank, the same on all ranks: its host, the nodes of
        its CPUs, the bytes on each node, and the bytes that are absent or elsewhere. If a rank
        could not query its array, its ``problem`` says why.

    Examples
    --------
    >>> survey(np.ones(1000), MPI.COMM_SELF).misplaced_bytes
    0
    """
    ranks = MPI.COMM_WORLD if comm is None else comm
    return Survey(ranks.allgather(look(f"rank {ranks.rank}", [a])))
