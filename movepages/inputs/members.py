"""Members: the arrays of a container, table or model, by name."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _core
from ..pages.buffers import located
from ..pages.footprint import Footprint
from ..pages.memory import Memory
from ..pages.named import ListNames, NamedFootprints, Parted, Shape
from ..pages.pieces import Pieces


class Members(NamedTuple):
    """Several memories, by name.

    Attributes
    ----------
    arrays : sequence
        What layouts look at: an array, `Memory` or other object for each member.
    footprints : NamedFootprints
        The bytes of each member.
    kind : str
        Name of the class of the object that has them.
    """

    arrays: Sequence[object]
    footprints: NamedFootprints
    kind: str


def members_of_list(arrays: Sequence[object], kind: str) -> Members | None:
    """Return the members of a list of arrays; None if one of them takes a closer look."""
    # Another thread may change a list meanwhile.
    arrays = tuple(arrays)
    found = _core.contiguous_arrays(arrays)
    if found is None:
        return None
    address, nbytes, many_axes = found
    shapes = _shapes_of(arrays, many_axes.tolist())
    footprints = NamedFootprints(
        ListNames(len(arrays)), address, nbytes, {}, shapes, mmap.PAGESIZE, 0
    )
    return Members(arrays, footprints, kind)


def _shapes_of(arrays: Sequence[Any], indices: Sequence[int]) -> dict[int, Shape]:
    return {index: (arrays[index].shape, arrays[index].strides) for index in indices}


# A container in which containers are shared can have two to the power of its depth.
_MOST_MEMBERS = 1 << 22


class MemberList:
    """Collects members; all must belong to one process."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._again: dict[str, int] = {}
        self._arrays: list[object] = []
        self._address: list[int] = []
        self._nbytes: list[int] = []
        self._parted: dict[int, Parted] = {}
        self._shapes: dict[int, Shape] = {}
        self._pid: int | None = None

    def __len__(self) -> int:
        return len(self._arrays)

    def add(self, name: str, array: object) -> None:
        """Add a member that is one memory."""
        footprint: Footprint | Pieces
        if isinstance(array, Pieces):
            footprint = array
        else:
            array, footprint = located(array)
        self._set_pid(footprint.pid)
        nbytes = 0
        if isinstance(footprint, Pieces) or footprint.dims:
            self._parted[len(self._arrays)] = footprint
        else:
            nbytes = footprint.block
        self._append(name, array, footprint.address, nbytes)

    def add_all(self, names: Iterable[str], arrays: tuple[object, ...]) -> bool:
        """Add arrays at once, unless one of them, or of the names, takes a closer look."""
        found = _core.contiguous_arrays(arrays)
        if not arrays or found is None:
            return False
        address, nbytes, many_axes = found
        self._set_pid(0)
        # A container that others share is added once for each of them, and takes memory only once.
        if self._names:
            self._refuse_too_many(len(self._names) + len(arrays))
        unique = dict.fromkeys(names)
        if len(unique) < len(arrays) or not self._names.keys().isdisjoint(unique):
            return False
        self._names.update(unique)
        before = len(self._arrays)
        for index, shape in _shapes_of(arrays, many_axes.tolist()).items():
            self._shapes[before + index] = shape
        self._arrays.extend(arrays)
        self._address.extend(address.tolist())
        self._nbytes.extend(nbytes.tolist())
        return True

    def _append(self, name: str, array: object, address: int, nbytes: int) -> None:
        unique = name
        while unique in self._names:
            self._again[name] = number = self._again.get(name, 1) + 1
            unique = f"{name}#{number}"
        self._refuse_too_many(len(self._names) + 1)
        self._names[unique] = None
        self._note_shape(array)
        self._arrays.append(array)
        self._address.append(address)
        self._nbytes.append(nbytes)

    def _refuse_too_many(self, count: int) -> None:
        if count > _MOST_MEMBERS:
            raise TypeError(f"got more than {_MOST_MEMBERS:,} members; pass parts of the object")

    def _note_shape(self, array: object) -> None:
        if isinstance(array, (np.ndarray, Memory)) and array.ndim > 1:
            self._shapes[len(self._arrays)] = array.shape, array.strides

    def _set_pid(self, pid: int) -> None:
        if self._pid is None:
            self._pid = pid
        elif pid != self._pid:
            raise ValueError(
                f"got memory of pid {pid} beside memory of pid {self._pid} (0 is this process); "
                "pass the memory of one process at a time"
            )

    def finish(self, kind: str) -> Members:
        """Return what was collected of an object of a class with this name."""
        names = list(self._names)
        footprints = NamedFootprints(
            names,
            self._address,
            self._nbytes,
            self._parted,
            self._shapes,
            mmap.PAGESIZE,
            self._pid or 0,
        )
        return Members(self._arrays, footprints, kind)
