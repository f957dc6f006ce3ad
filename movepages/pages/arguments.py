"""Convert addresses and node numbers to the arrays that the system call takes."""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Iterable, Sequence
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
import numpy.typing as npt

Addresses: TypeAlias = "npt.NDArray[np.uintp]"
Pages: TypeAlias = "npt.NDArray[np.integer] | Sequence[SupportsIndex]"
Count: TypeAlias = SupportsIndex
Nodes: TypeAlias = "npt.NDArray[np.integer] | Sequence[SupportsIndex] | SupportsIndex"

UINTP = np.dtype(np.uintp)
INT32 = np.dtype(np.int32)


def as_addresses(pages: Pages) -> Addresses:
    """Convert addresses to a dense array of uintp; raise if they are not addresses."""
    return _converted("pages", pages, UINTP)


def as_nodes(nodes: Nodes, name: str = "nodes") -> npt.NDArray[np.int32] | int:
    """Convert node numbers to an int or a dense array of int32; raise if they are neither."""
    if isinstance(nodes, (bool, np.bool_)):
        raise TypeError(f"{name}: expected node numbers, got the truth value {nodes}")
    if isinstance(nodes, str):
        raise TypeError(f"{name}: expected node numbers such as [0, 1], got the text {nodes!r}")
    if not isinstance(nodes, np.ndarray) or (nodes.ndim == 0 and nodes.dtype.kind in "iu"):
        with contextlib.suppress(TypeError):
            return operator.index(nodes)  # type: ignore[arg-type]
    return _converted(name, nodes, INT32)


def listed_nodes(nodes: Sequence[Count]) -> tuple[int, ...]:
    """Return the node numbers of a sequence; raise if it is empty or a single number."""
    found = as_nodes(nodes)
    if isinstance(found, int) or not len(found):
        meant = f"; pass [{found}]" if isinstance(found, int) else ""
        raise ValueError(f"nodes: expected a sequence of at least one node, got {nodes!r}{meant}")
    return tuple(found.tolist())


def refuse_masked(name: str, given: object) -> None:
    """Raise if `given` is a masked array: the kernel would use the elements that its mask hides."""
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected a plain array, got a masked one; the kernel ignores the mask. "
            f"Pass {name}.compressed() or {name}.data"
        )


def refuse_overlap(name: str, given: object, status: object) -> None:
    """Raise if the statuses would overwrite an input, even where the call uses a copy of it."""
    arrays = isinstance(given, np.ndarray) and isinstance(status, np.ndarray)
    if arrays and np.may_share_memory(given, status):
        raise ValueError(
            f"{name} and status share memory, so the statuses would overwrite the input; give "
            "status a buffer of its own"
        )


def _converted(name: str, given: object, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    refuse_masked(name, given)
    if isinstance(given, (list, tuple, range)):
        return _from_ints(name, given, dtype)
    array = np.asarray(given)
    if array.dtype.kind not in "iu" or isinstance(given, (bytes, bytearray)):
        convert = f"; convert it first, e.g. with .astype(np.{dtype.name})"
        raise TypeError(
            f"{name}: expected integers that fit {dtype.name}, got "
            f"{type(given).__name__ + ' of ' if array is not given else ''}"
            f"dtype {array.dtype}{convert if hasattr(given, 'astype') else ''}"
        )
    if array.ndim != 1:
        raise ValueError(
            f"{name}: expected a 1-d array, got {array.ndim} dimensions, shape {array.shape}; "
            f"pass np.asarray({name}).ravel()"
        )
    if array.size and not np.can_cast(array.dtype, dtype):
        _refuse_beyond(name, (array.min(), array.max()), dtype)
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _from_ints(name: str, given: Sequence[SupportsIndex], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    # If some ints are above 2**63 and some below, np.asarray makes floats. numpy 1 wraps ints that
    # do not fit.
    try:
        if any(isinstance(each, (bool, np.bool_)) for each in given):
            raise TypeError("a truth value")
        ints = [operator.index(each) for each in given]
    except TypeError as wrong:
        raise TypeError(
            f"{name}: expected integers that fit {dtype.name}, got a {type(given).__name__} with "
            f"another kind of value: {wrong}"
        ) from None
    if ints:
        _refuse_beyond(name, (min(ints), max(ints)), dtype)
    return np.array(ints, dtype)


def _refuse_beyond(name: str, extremes: Iterable[SupportsIndex], dtype: np.dtype[Any]) -> None:
    limits = np.iinfo(dtype)
    for value in map(operator.index, extremes):
        if not limits.min <= value <= limits.max:
            raise ValueError(
                f"{name}: expected values from {limits.min} to {limits.max}, got {value}"
            )
