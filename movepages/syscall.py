"""move_pages(): the system call on numpy arrays, with its errors translated."""

from __future__ import annotations

import contextlib
import errno
import operator
from collections.abc import Callable, Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _core
from .errors import make_error
from .explain import Call, explain, unusable_node
from .result import MoveResult, result_of_status
from .runs import Statuses

Addresses: TypeAlias = "npt.NDArray[np.uintp]"
Pages: TypeAlias = "npt.NDArray[np.integer] | Sequence[SupportsIndex]"
Nodes: TypeAlias = "npt.NDArray[np.integer] | Sequence[SupportsIndex] | SupportsIndex"

MPOL_MF_MOVE = _core.MPOL_MF_MOVE
MPOL_MF_MOVE_ALL = _core.MPOL_MF_MOVE_ALL

_UINTP = np.dtype(np.uintp)
_INT32 = np.dtype(np.int32)


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
        Process whose pages these are; 0 is the caller.
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

    Notes
    -----
    The call releases the GIL. Source: move_pages(2); ``do_pages_move`` and ``do_pages_stat`` in the
    kernel's mm/migrate.c. The kernel leaves statuses unwritten when a page cannot be moved; those
    are asked for again here.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> pages = np.arange(a.ctypes.data, a.ctypes.data + a.nbytes, 4096, dtype=np.uintp)
    >>> bool(np.all(move_pages(pages) >= 0))
    True
    """
    if (
        type(pages) is np.ndarray
        and pages.dtype is _UINTP
        and (how := pages.flags).c_contiguous
        and how.aligned
    ):
        addresses: Addresses = pages  # type: ignore[assignment]
    else:
        addresses = as_addresses(pages)
    if nodes is not None and type(nodes) is not int:
        nodes = as_nodes(nodes)
    if status is None:
        status = np.empty(len(addresses), _INT32)
    try:
        failure = _core.move_pages(addresses, nodes, status, pid, flags)
    except (TypeError, ValueError):
        raise
    except BaseException as interruption:
        attach(interruption, result_of_status(status), status)
        raise
    if failure is not None:
        raise _failed(failure, nodes, status, pid=pid, flags=flags)
    return status


def attach(interruption: BaseException, result: MoveResult, status: Statuses | None = None) -> None:
    """Hang the partial outcome on an exception that a signal handler raised."""
    # An exception class of the user's with __slots__ cannot carry it; the exception still counts.
    with contextlib.suppress(AttributeError):
        interruption.status = status  # type: ignore[attr-defined]
        interruption.result = result  # type: ignore[attr-defined]


def _failed(
    failure: tuple[int, int],
    nodes: npt.NDArray[np.int32] | int | None,
    status: Statuses,
    *,
    pid: int,
    flags: int,
) -> Exception:
    code, refused = failure
    node = None
    if refused >= 0 and nodes is not None:
        node = int(nodes[refused]) if isinstance(nodes, np.ndarray) else nodes
    call = Call(operator.index(pid), operator.index(flags), refused_node=node)
    code, sentence = explain(code, call)
    return make_error(code, sentence, status=status, result=result_of_status(status))


def refuse_unusable_nodes(nodes: list[int], pid: int, outcome: Callable[[], MoveResult]) -> None:
    """Raise for the first of `nodes` that no page can go to, before anything moves."""
    node = unusable_node(nodes, pid)
    if node is not None:
        code, sentence = explain(errno.ENODEV, Call(pid, MPOL_MF_MOVE, refused_node=node))
        raise make_error(code, sentence, result=outcome())


def as_addresses(pages: Pages) -> Addresses:
    """Return addresses as a dense array of uintp."""
    return _converted("pages", pages, _UINTP)


def as_nodes(nodes: Nodes, name: str = "nodes") -> npt.NDArray[np.int32] | int:
    """Return node numbers as an int or an array of int32; refuse what is neither."""
    if isinstance(nodes, (bool, np.bool_)):
        raise TypeError(f"{name}: expected node numbers, got the truth value {nodes}")
    if not isinstance(nodes, np.ndarray) or nodes.ndim == 0:
        with contextlib.suppress(TypeError):
            return operator.index(nodes)  # type: ignore[arg-type]
    return _converted(name, nodes, _INT32)


def _converted(name: str, given: object, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an input as a dense array of `dtype`; refuse whatever would lose something."""
    if isinstance(given, Sequence) and not isinstance(given, (str, bytes, memoryview)):
        return _from_ints(name, given, dtype)
    array = np.asarray(given)
    if array.dtype.kind not in "iu":
        raise TypeError(
            f"{name}: expected integers that fit {dtype.name}, got "
            f"{'a ' + type(given).__name__ + ' of ' if array is not given else ''}"
            f"dtype {array.dtype}; convert it first, e.g. with .astype(np.{dtype.name})"
        )
    if array.ndim != 1:
        raise ValueError(
            f"{name}: expected 1-d, got {array.ndim} dimensions of shape {array.shape}; "
            f"pass {name}.ravel()"
        )
    if array.size and not np.can_cast(array.dtype, dtype):
        lowest, highest, limits = int(array.min()), int(array.max()), np.iinfo(dtype)
        if lowest < limits.min or highest > limits.max:
            wrong = lowest if lowest < limits.min else highest
            raise ValueError(
                f"{name}: expected values from {limits.min} to {limits.max}, got {wrong}"
            )
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _from_ints(name: str, given: Sequence[SupportsIndex], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    # np.asarray would make floats of ints on both sides of 2**63, and lose their last digits.
    try:
        return np.fromiter(map(operator.index, given), dtype, len(given))
    except (TypeError, OverflowError) as wrong:
        limits = np.iinfo(dtype)
        raise type(wrong)(
            f"{name}: expected integers from {limits.min} to {limits.max}, "
            f"got a {type(given).__name__} with another kind of value: {wrong}"
        ) from None


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

    Notes
    -----
    Source: get_mempolicy(2) with MPOL_F_NODE | MPOL_F_ADDR, ``lookup_node`` in mm/mempolicy.c.

    Examples
    --------
    >>> a = np.ones(1 << 20, np.uint8)
    >>> bool(mempolicy_nodes([a.ctypes.data])[0] == move_pages([a.ctypes.data])[0])
    True
    """
    return _core.mempolicy_nodes(as_addresses(pages))
