"""move_pages(): the system call on numpy arrays, with explanations of its errors."""

from __future__ import annotations

import contextlib
import errno
import operator
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .. import _core
from ..pages.arguments import (
    INT32,
    UINTP,
    Addresses,
    Nodes,
    Pages,
    as_addresses,
    as_nodes,
    refuse_masked,
    refuse_overlap,
)
from ..pages.page_set import PageSet
from ..pages.runs import Statuses
from ..results.counting import result_of_status
from ..results.outcome import MoveResult, make_error
from ..system.target_nodes import unusable_node
from .explain import Call, explain

MPOL_MF_MOVE = _core.MPOL_MF_MOVE
MPOL_MF_MOVE_ALL = _core.MPOL_MF_MOVE_ALL

_OWN = 0
# Writing the statuses of this many pages takes so long that a signal would have to wait.
_MANY = 1 << 25


def move_pages(
    pages: Pages,
    nodes: Nodes | None = None,
    status: Statuses | None = None,
    *,
    pid: int = 0,
    flags: int = MPOL_MF_MOVE,
) -> Statuses:
    """Query or move pages with move_pages(2). The returned statuses are true and complete.

    Parameters
    ----------
    pages : array_like of uintp, shape (n,)
        One address for each page, in any order; any address inside the page works. A C-contiguous
        array of uintp is used in place; other input is converted if that loses nothing.
    nodes : array_like of int32, shape (n,), or int, optional
        Target node of each page, or one node for all pages. Without targets, nothing moves. A
        C-contiguous array of int32 is used in place.
    status : ndarray of int32, shape (n,), optional
        Writable, C-contiguous array for the result. It is written in place and returned, never cast
        or copied.
    pid : int, default 0
        Process that the pages belong to. 0 and the caller's own pid both mean the calling process.
    flags : int, default MPOL_MF_MOVE
        MPOL_MF_MOVE moves only pages that no other process maps. MPOL_MF_MOVE_ALL also moves pages
        that other processes map, and needs CAP_SYS_NICE.

    Returns
    -------
    ndarray of int32, shape (n,)
        The node of each page, or a negative `PageStatus`. A page with a target has a node here only
        if it is on its target.

    Raises
    ------
    TypeError, ValueError
        An argument has the wrong type, dtype, shape, stride or alignment, `status` is read-only, or
        buffers overlap. Nothing has moved.
    MovePagesError
        The call failed as a whole. The error is also the built-in exception for its errno:
        PermissionError (EPERM, EACCES), ProcessLookupError (ESRCH), MemoryError (ENOMEM),
        ValueError (ENODEV, EINVAL), NotImplementedError (ENOSYS). Its ``.status`` and ``.result``
        hold the outcome up to then.
    KeyboardInterrupt
        After Ctrl-C, between chunks of about 25 ms of work; ``.status`` and ``.result`` as above.
        With several targets, the call queries the pages handled so far before it raises this.

    Notes
    -----
    The call releases the GIL. Source: move_pages(2); ``do_pages_move`` and ``do_pages_stat`` in the
    kernel's mm/migrate.c. The kernel leaves statuses unwritten if a page cannot be moved;
    movepages then queries these pages again.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> pages = np.arange(a.ctypes.data, a.ctypes.data + a.nbytes, mmap.PAGESIZE, dtype=np.uintp)
    >>> bool(np.all(move_pages(pages) >= 0))
    True
    """
    if nodes is None and pid is _OWN and flags is MPOL_MF_MOVE:
        few = _core.query_few(pages, status)
        if few is not None:
            return few
    if (
        type(pages) is np.ndarray
        and pages.dtype is UINTP
        and pages.ndim == 1
        and (how := pages.flags).c_contiguous
        and how.aligned
    ):
        addresses: Addresses = pages  # type: ignore[assignment]
    else:
        refuse_overlap("pages", pages, status)
        addresses = as_addresses(pages)
    # The core corrects the kernel's answer for this process only if pid is 0.
    if isinstance(pid, (int, np.integer)) and 0 < pid < 1 << 31 and _core.is_own(pid):
        pid = 0
    if nodes is not None and type(nodes) is not int:
        refuse_overlap("nodes", nodes, status)
        nodes = as_nodes(nodes)
    if status is None:
        status = _room_for(len(addresses))
    elif type(status) is not np.ndarray:
        refuse_masked("status", status)
    failure = _core.move_pages(addresses, nodes, status, pid, flags, None)
    if failure is not None:
        raise _failed(failure, nodes, status, pid=pid, flags=flags)
    return status


def _room_for(count: int) -> Statuses:
    room = _core.untold(count) if count >= _MANY else None
    return np.empty(count, INT32) if room is None else room


def move_in_slices(
    pages: Addresses,
    nodes: npt.NDArray[np.int32],
    status: Statuses,
    *,
    pid: int,
    flags: int,
    pause: Callable[[], object],
    threads: int = 1,
) -> None:
    """Move like `move_pages`; `pause`, called after every 25 ms of work, may raise to end it.

    Each of the threads moves a part of the pages.
    """
    failure = _core.move_pages(pages, nodes, status, pid, flags, pause, threads)
    if failure is not None:
        raise _failed(failure, nodes, status, pid=pid, flags=flags)


def attach(
    interruption: BaseException, result: MoveResult, status: Statuses | None = None
) -> BaseException:
    """Attach the partial outcome to an exception that a signal handler raised."""
    # A user's exception class with __slots__ cannot carry them; it is raised all the same.
    with contextlib.suppress(AttributeError):
        interruption.status = status  # type: ignore[attr-defined]
        interruption.result = result  # type: ignore[attr-defined]
    return interruption


def _failed(
    failure: tuple[int | BaseException, int],
    nodes: npt.NDArray[np.int32] | int | None,
    status: Statuses,
    *,
    pid: int,
    flags: int,
) -> BaseException:
    code, refused = failure
    if isinstance(code, BaseException):
        result = result_of_status(status, moving=nodes is not None, attempted=refused)
        return attach(code, result, status)
    result = result_of_status(status, moving=nodes is not None)
    node = None
    if refused >= 0 and nodes is not None:
        node = int(nodes[refused]) if isinstance(nodes, np.ndarray) else nodes
    full = () if code != errno.ENOMEM else _full_nodes(nodes, status)
    call = Call(operator.index(pid), operator.index(flags), refused_node=node, full_nodes=full)
    code, sentence = explain(code, call)
    return make_error(code, sentence, status=status, result=result)


def _full_nodes(nodes: npt.NDArray[np.int32] | int | None, status: Statuses) -> tuple[int, ...]:
    """Return the target nodes of the pages with status ENOMEM."""
    wanted = np.broadcast_to(np.asarray(-1 if nodes is None else nodes), status.shape)
    return tuple(np.unique(wanted[status == -errno.ENOMEM]).tolist())


def refuse_unusable_nodes(nodes: list[int], pid: int, outcome: Callable[[], MoveResult]) -> None:
    """Raise, before anything moves, for the first of `nodes` that cannot be a target."""
    node = unusable_node(nodes, pid)
    if node is not None:
        code, sentence = explain(errno.ENODEV, Call(pid, MPOL_MF_MOVE, refused_node=node))
        raise make_error(code, sentence, result=outcome())


def refuse_process(footprint: PageSet, flags: int) -> None:
    """Let the kernel check process and permission, even if there is no page to query."""
    if footprint.pages == 0 or footprint.pid != 0 or flags != MPOL_MF_MOVE:
        move_pages(np.empty(0, np.uintp), pid=footprint.pid, flags=flags)
