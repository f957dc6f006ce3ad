"""Placement for the ranks of an MPI program; needs mpi4py (extra ``mpi``)."""

from __future__ import annotations

from typing import Any

from .cluster.members import Member, Survey, look
from .layouts.blocks import local
from .migration.move import move
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


def place(a: object, *, flags: int = MPOL_MF_MOVE) -> MoveResult:
    """Move this rank's array, or its part of a shared window, near the CPUs it may run on.

    Each rank does it for itself: nothing is sent, and ranks need not all call it.

    Parameters
    ----------
    a : ndarray, buffer or Region
        Such as a view of this rank's part of ``MPI.Win.Allocate_shared``.
    flags : int, default MPOL_MF_MOVE
        Pages of a window that other ranks have touched already are mapped more than once: they stay
        (EACCES in ``failures``) unless it is MPOL_MF_MOVE_ALL, which needs CAP_SYS_NICE. Best,
        each rank places and writes its part before the others look at it.

    Returns
    -------
    MoveResult
        Of this rank. Pages that could not be moved raise nothing: see ``raise_for_status``.

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


def survey(a: object, comm: Any = None) -> Survey:
    """Tell every rank where all ranks' arrays are. All ranks of `comm` have to call it.

    Parameters
    ----------
    a : ndarray, buffer or Region
        This rank's own.
    comm : mpi4py.MPI.Comm, default COMM_WORLD

    Returns
    -------
    Survey
        One `Member` for each rank, in their order, on all ranks: host, nodes of its CPUs, bytes on
        each node, absent, and elsewhere. What a rank could not look at is told as its ``problem``.

    Examples
    --------
    >>> survey(np.ones(1000), MPI.COMM_SELF).misplaced_bytes
    0
    """
    ranks = MPI.COMM_WORLD if comm is None else comm
    return Survey(ranks.allgather(look(f"rank {ranks.rank}", [a])))
