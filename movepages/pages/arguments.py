"""Addresses and node numbers as people give them, made what the system call takes in place."""

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
    """Return addresses as a dense array of uintp; refuse what is none."""
    return _converted("pages", pages, UINTP)


def as_nodes(nodes: Nodes, name: str = "nodes") -> npt.NDArray[np.int32] | int:
    """Return node numbers as an int or a dense array of int32; refuse what is neither."""
    if isinstance(nodes, (bool, np.bool_)):
        raise TypeError(f"{name}: expected node numbers, got the truth value {nodes}")
    if not isinstance(nodes, np.ndarray) or (nodes.ndim == 0 and nodes.dtype.kind in "iu"):
        with contextlib.suppress(TypeError):
            return operator.index(nodes)  # type: ignore[arg-type]
    return _converted(name, nodes, INT32)


def listed_nodes(nodes: Sequence[Count]) -> tuple[int, ...]:
    """Return the node numbers of a sequence, of which there has to be one."""
    found = as_nodes(nodes)
    if isinstance(found, int) or not len(found):
        raise ValueError(f"nodes: expected a sequence of one node or more, got {nodes!r}")
    return tuple(found.tolist())


def refuse_masked(name: str, given: object) -> None:
    """Refuse a masked array: the kernel would see what the mask hides."""
    if isinstance(given, np.ma.MaskedArray):
        raise TypeError(
            f"{name}: expected a plain array, got a masked one, whose mask the kernel does not "
            f"know; pass {name}.compressed() or {name}.data"
        )


def refuse_overlap(name: str, given: object, status: object) -> None:
    """Refuse an input that the statuses would be written over, although a copy of it is used."""
    arrays = isinstance(given, np.ndarray) and isinstance(status, np.ndarray)
    if arrays and np.may_share_memory(given, status):
        raise ValueError(
            f"{name} and status share memory, and the kernel would write one over the other; give "
            "status a buffer of its own"
        )


def _converted(name: str, given: object, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    refuse_masked(name, given)
    if isinstance(given, (list, tuple, range)):
        return _from_ints(name, given, dtype)
    array = np.asarray(given)
    if array.dtype.kind not in "iu" or isinstance(given, (bytes, bytearray)):
        raise TypeError(
            f"{name}: expected integers that fit {dtype.name}, got "
            f"{'a ' + type(given).__name__ + ' of ' if array is not given else ''}"
            f"dtype {array.dtype}; convert it first, e.g. with .astype(np.{dtype.name})"
        )
    if array.ndim != 1:
        raise ValueError(
            f"{name}: expected 1-d, got {array.ndim} dimensions of shape {array.shape}; "
            f"pass np.asarray({name}).ravel()"
        )
    if array.size and not np.can_cast(array.dtype, dtype):
        _refuse_beyond(name, (array.min(), array.max()), dtype)
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"])


def _from_ints(name: str, given: Sequence[SupportsIndex], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    # np.asarray would make floats of ints on both sides of 2**63, and numpy 1 wraps what is beyond.
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
