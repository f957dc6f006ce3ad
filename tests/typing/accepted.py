"""What mypy accepts and refuses of users' code; `.ci/lint` checks this file, nothing runs it."""

from typing import assert_type

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


def functions_of_users(memory: "mp.MemoryLike") -> None:
    mp.where(memory)
    mp.plan(memory, mp.together(mp.blocks([0, 1])))
    mp.bind(memory, 0)


def refused() -> None:
    mp.where(3)  # type: ignore[call-overload]
    mp.where(2.5)  # type: ignore[call-overload]
    mp.where("abc")  # type: ignore[call-overload]
    mp.where(None)  # type: ignore[call-overload]
    mp.move(3, 0)  # type: ignore[call-overload]
    mp.plan(3, 0)  # type: ignore[arg-type]
