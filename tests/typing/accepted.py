"""What mypy accepts and refuses of users' code; `.ci/lint` checks this file, nothing runs it."""

from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from multiprocessing.shared_memory import SharedMemory
from typing import Any, assert_type, cast

import numpy as np
import numpy.typing as npt

import movepages as mp

Masked = np.ma.MaskedArray[tuple[int], np.dtype[np.float64]]


def arrays(a: npt.NDArray[np.float64], masked: "Masked") -> None:
    assert_type(mp.where(a), mp.Placement)
    assert_type(mp.where(b"abc"), mp.Placement)
    assert_type(mp.where(memoryview(b"abc")), mp.Placement)
    assert_type(mp.where(mp.Region(0, 1)), mp.Placement)
    assert_type(mp.where([a]), mp.Placements)
    assert_type(mp.where({"a": a}), mp.Placements)
    assert_type(mp.where(masked), mp.Placements)
    assert_type(mp.move([a], {"[0]": 0}), mp.MoveResult)
    assert_type(mp.move(a, mp.where(a), background=True), mp.BackgroundMove)


def containers(arrays: "dict[str, npt.NDArray[np.float64]]") -> None:
    assert_type(mp.where(deque(arrays.values())), mp.Placements)
    assert_type(mp.where(arrays.values()), mp.Placements)
    mp.move(arrays, {"weights": 0, ...: mp.interleave([0, 1])})
    mp.move(arrays, {0: 1, "a": mp.together(mp.blocks([0, 1]))})


class Own:
    def __movepages_buffers__(self) -> "Iterator[tuple[str, npt.NDArray[np.float64]]]":
        yield "a", np.ones(3)


class Registered:
    pass


class Optimizer:
    """As torch.optim.Optimizer."""

    param_groups: list[dict[str, Any]]
    state: Mapping[Any, Any]


class Storage:
    """As torch.UntypedStorage."""

    def data_ptr(self) -> int:
        return 0

    def nbytes(self) -> int:
        return 0


def objects(shared: SharedMemory, optimizer: Optimizer, storage: Storage) -> None:
    assert_type(mp.where(shared), mp.Placement)
    mp.where(optimizer)
    mp.where(storage)
    mp.where(Own())
    mp.register(Registered, lambda _: [])
    mp.where(Registered())  # type: ignore[call-overload]
    mp.where(cast("mp.MemoryLike", Registered()))


def functions_of_users(memory: "mp.MemoryLike") -> None:
    mp.where(memory)
    mp.plan(memory, mp.together(mp.blocks([0, 1])))
    mp.bind(memory, 0)
    mp.bind(memory, mp.near("eth0"))
    mp.move(memory, mp.near("eth0"))
    mp.empty(1, node=mp.near("eth0"))
    mp.empty(1, layout=mp.near("eth0"))
    mp.interleave([mp.near("eth0"), 1])


def refused() -> None:
    mp.where(3)  # type: ignore[call-overload]
    mp.where(2.5)  # type: ignore[call-overload]
    mp.where("abc")  # type: ignore[call-overload]
    mp.where(None)  # type: ignore[call-overload]
    mp.where({1, 2})  # type: ignore[call-overload]
    mp.where(object())  # type: ignore[call-overload]
    mp.move(3, 0)  # type: ignore[call-overload]
    mp.plan(3, 0)  # type: ignore[arg-type]


def read_once(
    generator: "Generator[npt.NDArray[np.float64]]", names: Sequence[str], path: "type[int]"
) -> None:
    mp.where(generator)  # type: ignore[call-overload]
    mp.where(iter([np.ones(3)]))  # type: ignore[call-overload]
    mp.where(names)  # type: ignore[call-overload]
    mp.where(path)  # type: ignore[call-overload]
