"""move_pages(): the system call on numpy arrays, with its errors translated."""

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
from ..pages.footprint import Footprint
from ..pages.runs import Statuses
from ..results.counting import result_of_status
from ..results.outcome import MoveResult, make_error
from ..system.target_nodes import unusable_node
from .explain import Call, explain
from .survey_runs import SurveyRuns

MPOL_MF_MOVE = _core.MPOL_MF_MOVE
MPOL_MF_MOVE_ALL = _core.MPOL_MF_MOVE_ALL

# Pages whose statuses take so long to write that a signal would wait for them.
_MANY = 1 << 25
# Pages asked of get_mempolicy(2) at a time, so that Ctrl-C is heard in between.
_WITNESS_PAGES = 1 << 16


def move_pages(
    pages: Pages,
    nodes: Nodes | None = None,
    status: Statuses | None = None,
    *,
    pid: int = 0,
    flags: int = MPOL_MF_MOVE,
) -> Statuses:
    """Ask where pages are, or move them: move_pages(2) with true and complete statuses.

    Parameters
    ----------
    pages : array_like of uintp, shape (n,)
        One address a page, in any order; any address inside the page will do. A C-contiguous array
        of uintp is used in place, whatever else converts without loss is converted.
    nodes : array_like of int32, shape (n,), or int, optional
        Target node of each page, or one for all. Without it nothing moves. A C-contiguous array of
        int32 is used in place.
    status : ndarray of int32, shape (n,), optional
        Writable and C-contiguous; written in place and returned. Never cast, never copied.
    pid : int, default 0
        Process whose pages these are; 0 is the caller, as the caller's own number is.
    flags : int, default MPOL_MF_MOVE
        MPOL_MF_MOVE moves pages only this process maps; MPOL_MF_MOVE_ALL also shared ones, and
        needs CAP_SYS_NICE.

    Returns
    -------
    ndarray of int32, shape (n,)
        The node each page is on, or a negative `PageStatus`. A page that was to move shows a node
        only if it is the wanted one.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong type, dtype, shape, stride or alignment, a read-only `status`, or
        buffers that overlap. Nothing has moved.
    MovePagesError
        The call failed as a whole. Also the built-in exception for its errno: PermissionError
        (EPERM, EACCES), ProcessLookupError (ESRCH), MemoryError (ENOMEM), ValueError (ENODEV,
        EINVAL), NotImplementedError (ENOSYS). ``.status`` and ``.result`` hold what was done.
    KeyboardInterrupt
        On Ctrl-C, between chunks of about 25 ms of work; ``.status`` and ``.result`` as above.
        With several targets, where the pages already asked for are now is looked at before that.

    Notes
    -----
    The call releases the GIL. Source: move_pages(2); ``do_pages_move`` and ``do_pages_stat`` in the
    kernel's mm/migrate.c. The kernel leaves statuses unwritten when a page cannot be moved; those
    are asked for again here.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> pages = np.arange(a.ctypes.data, a.ctypes.data + a.nbytes, mmap.PAGESIZE, dtype=np.uintp)
    >>> bool(np.all(move_pages(pages) >= 0))
    True
    """
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
    # What the core adds to the kernel's answer for this process it adds under 0.
    if pid and isinstance(pid, (int, np.integer)) and pid < 1 << 31 and _core.is_own(pid):
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
) -> None:
    """Move as `move_pages` does; `pause`, called after every 25 ms of work, may raise to end it."""
    failure = _core.move_pages(pages, nodes, status, pid, flags, pause)
    if failure is not None:
        raise _failed(failure, nodes, status, pid=pid, flags=flags)


def survey_rows(
    addresses: Addresses,
    pages: npt.NDArray[np.int64],
    *,
    pid: int,
    flags: int,
    threads: int,
    fewest: int | None,
    pause: Callable[[], object] | None,
    by_number: int = 0,
    ask_small: bool = True,
) -> tuple[BaseException | None, SurveyRuns]:
    """Ask where rows of neighbouring pages are, by several threads if that pays.

    Of rows of `fewest` pages or more the page tables are looked at first, where the kernel lets
    one: what they have nothing for is not asked for. Of `by_number` small pages or more in a row
    a process that has CAP_SYS_ADMIN takes the nodes from the numbers of their frames; 0 is for
    never. Without `ask_small` small pages that the page tables show are left out: not attempted,
    and of kind "page". `pause`, called after every 25 ms of work, may raise to end it.

    Returns
    -------
    failure : exception or None
        What ended the survey early, not raised.
    found : SurveyRuns
        What was found by then, and afterwards.
    """
    failure, start, count, status, kind = _core.survey(
        addresses, pages, pid, flags, threads, fewest, by_number, ask_small, pause
    )
    found = SurveyRuns(start, count, status, kind)
    if failure is None or isinstance(failure, BaseException):
        return failure, found
    code, sentence = explain(failure[0], Call(operator.index(pid), operator.index(flags)))
    return make_error(code, sentence), found


def attach(
    interruption: BaseException, result: MoveResult, status: Statuses | None = None
) -> BaseException:
    """Hang the partial outcome on an exception that a signal handler raised."""
    # An exception class of the user's with __slots__ cannot carry it; the exception still counts.
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
        told = refused
        return attach(code, result_of_status(status, moving=nodes is not None, told=told), status)
    result = result_of_status(status, moving=nodes is not None)
    node = None
    if refused >= 0 and nodes is not None:
        node = int(nodes[refused]) if isinstance(nodes, np.ndarray) else nodes
    full = () if code != errno.ENOMEM else _full_nodes(nodes, status)
    call = Call(operator.index(pid), operator.index(flags), refused_node=node, full_nodes=full)
    code, sentence = explain(code, call)
    return make_error(code, sentence, status=status, result=result)


def _full_nodes(nodes: npt.NDArray[np.int32] | int | None, status: Statuses) -> tuple[int, ...]:
    """Return the targets of the pages for which there was no memory."""
    wanted = np.broadcast_to(np.asarray(-1 if nodes is None else nodes), status.shape)
    return tuple(np.unique(wanted[status == -errno.ENOMEM]).tolist())


def refuse_unusable_nodes(nodes: list[int], pid: int, outcome: Callable[[], MoveResult]) -> None:
    """Raise for the first of `nodes` that no page can go to, before anything moves."""
    node = unusable_node(nodes, pid)
    if node is not None:
        code, sentence = explain(errno.ENODEV, Call(pid, MPOL_MF_MOVE, refused_node=node))
        raise make_error(code, sentence, result=outcome())


def mempolicy_nodes(pages: Pages) -> Statuses:
    """Ask get_mempolicy(2) for the node of each page: a second source beside `move_pages`.

    Parameters
    ----------
    pages : array_like of uintp, shape (n,)
        Addresses in this process. Absent pages are faulted in by the question: ask of present ones.

    Returns
    -------
    ndarray of int32, shape (n,)
        Node of each page, or a negative errno.

    Raises
    ------
    TypeError, ValueError
        Addresses that are no whole numbers, or not one-dimensional.

    Notes
    -----
    Source: get_mempolicy(2) with MPOL_F_NODE | MPOL_F_ADDR, ``lookup_node`` in mm/mempolicy.c.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> bool(mempolicy_nodes([a.ctypes.data])[0] == move_pages([a.ctypes.data])[0])
    True
    """
    addresses = as_addresses(pages)
    starts = range(0, len(addresses), _WITNESS_PAGES)
    parts = [_core.mempolicy_nodes(addresses[i : i + _WITNESS_PAGES]) for i in starts]
    return np.concatenate([np.empty(0, INT32), *parts])


def refuse_process(footprint: Footprint, flags: int) -> None:
    """Let the kernel check process and permission, also where there is no page to ask for."""
    if footprint.pages == 0 or footprint.pid != 0 or flags != MPOL_MF_MOVE:
        move_pages(np.empty(0, np.uintp), pid=footprint.pid, flags=flags)
