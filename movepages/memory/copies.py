"""Copies of arrays, tensors and containers of them, in one piece of memory for each copy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from ..inputs.containers import VALUES, join_names
from ..inputs.memory_of import memory_of
from ..pages.named import key_name

Bytes: TypeAlias = "npt.NDArray[np.uint8]"

# Parts of this size stay in the cache while they are written to each node, and signal handlers run
# between two of them.
_PART_BYTES = 4 << 20
# Of cache lines and of any vector unit.
_ALIGNMENT = 64


class Copier:
    """Copies an array, a tensor, or a container of them to several memories.

    Parameters
    ----------
    source : object
        An ndarray, a strided tensor of torch, an object with a method ``state_dict``, or a mapping,
        list or tuple of these. Other values in a container are taken as they are.

    Attributes
    ----------
    nbytes : int
        Bytes of the memory for one copy.

    Raises
    ------
    TypeError
        A member is an array of Python objects, a masked array, or not in this process's memory.
    """

    def __init__(self, source: object) -> None:
        self.nbytes = 0
        self._sources: list[Any] = []
        self._places: list[int] = []
        # Arrays that share all of their memory, such as tied weights, have one copy.
        self._known: dict[tuple[object, ...], int] = {}
        self._plan = self._planned("", source)
        if not self._sources:
            raise TypeError(f"got a {type(source).__name__} with no array in it")

    def copy_into(self, memories: list[Bytes]) -> list[Any]:
        """Copy everything into each of some memories, and return what lies in each."""
        copies = []
        placed = [
            [_view(source, memory[place:]) for memory in memories]
            for source, place in zip(self._sources, self._places, strict=True)
        ]
        for source, targets in zip(self._sources, placed, strict=True):
            _copy(source, targets)
        for number in range(len(memories)):
            mine = [_read_only(targets[number]) for targets in placed]
            copies.append(_rebuilt(self._plan, mine))
        return copies

    def _planned(self, name: str, source: Any) -> object:
        """Return the structure of an object, with a `_Slot` for each array."""
        if isinstance(source, np.ndarray) or _is_tensor(source):
            return self._slot(name, source)
        if isinstance(source, Mapping):
            return {
                key: self._planned(join_names(name, key_name(key)), each)
                for key, each in source.items()
            }
        if type(source) in (list, tuple):
            pairs = enumerate(source)
            return type(source)(self._planned(f"{name}[{index}]", each) for index, each in pairs)
        if callable(getattr(source, "state_dict", None)):
            return self._planned(name, source.state_dict())
        if name and isinstance(source, VALUES):
            return source
        raise TypeError(
            f"{name or 'replicate()'}: expected an array, a tensor, a mapping, list or tuple of "
            f"them, or an object with state_dict(), got a {type(source).__name__}; if "
            "np.asarray(...) of it shares its memory, pass that instead"
        )

    def _slot(self, name: str, source: Any) -> _Slot:
        try:
            address = _address(source)
        except TypeError as error:
            raise TypeError(f"{name}: {error}" if name else str(error)) from None
        if isinstance(source, np.ndarray):
            source = np.asarray(source)
            key = address, source.shape, source.strides, source.dtype
        else:
            source = source.detach()
            key = address, source.shape, source.stride(), source.dtype
        if key not in self._known:
            self._known[key] = len(self._sources)
            self._sources.append(source)
            self._places.append(self.nbytes)
            self.nbytes += -(-source.nbytes // _ALIGNMENT) * _ALIGNMENT
        return _Slot(self._known[key])


class _Slot(int):
    """The number of an array in a structure."""


def _is_tensor(source: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _address(source: Any) -> int:
    """Return the address of an array or tensor; raise TypeError if it cannot be copied."""
    if isinstance(source, np.ma.MaskedArray):
        raise TypeError("expected a plain array, got a masked one; pass its data and its mask")
    if isinstance(source, np.ndarray) and source.dtype.hasobject:
        raise TypeError(
            f"expected an array without objects, got {source.dtype}: a copy would only point to "
            "the same objects"
        )
    if _is_tensor(source) and str(source.layout) != "torch.strided":
        raise TypeError(f"expected a strided tensor, got one of layout {source.layout}")
    # This refuses tensors on other devices, and those without memory.
    return memory_of(source)[1].address


def _view(source: Any, memory: Bytes) -> Any:
    """Return a new array of the type and shape of another, in some memory."""
    memory = memory[: source.nbytes]
    if isinstance(source, np.ndarray):
        order: Literal["F", "C"] = "F" if source.flags.fnc else "C"
        return np.ndarray(source.shape, source.dtype, memory.data, order=order)
    torch = sys.modules["torch"]
    if not source.nbytes:
        return torch.empty(source.shape, dtype=source.dtype)
    return torch.from_numpy(memory).view(source.dtype).view(source.shape)


def _copy(source: Any, targets: list[Any]) -> None:
    """Copy an array to others of its shape, part by part: each part is read once."""
    if isinstance(source, np.ndarray) and source.flags.fnc:
        source, targets = source.T, [target.T for target in targets]
    rows = source.shape[0] if source.ndim else 1
    if not source.ndim or source.nbytes <= _PART_BYTES or not rows:
        for target in targets:
            target[...] = source
        return
    each = source.nbytes // rows
    if each > _PART_BYTES and source.ndim > 1:
        for row in range(rows):
            _copy(source[row], [target[row] for target in targets])
        return
    step = max(_PART_BYTES // each, 1)
    for low in range(0, rows, step):
        for target in targets:
            target[low : low + step] = source[low : low + step]


def _read_only(copy: Any) -> Any:
    if isinstance(copy, np.ndarray):
        copy.flags.writeable = False
    return copy


def _rebuilt(plan: Any, arrays: list[Any]) -> Any:
    if isinstance(plan, _Slot):
        return arrays[plan]
    if isinstance(plan, dict):
        return {key: _rebuilt(each, arrays) for key, each in plan.items()}
    if type(plan) in (list, tuple):
        return type(plan)(_rebuilt(each, arrays) for each in plan)
    return plan
