"""A situation in another process: its functions are called there, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .situations import Expected, Situation

_planted: list[Situation] = []


@dataclass
class Card:
    """What another process tells of its situation."""

    nbytes: dict[str, int]
    addresses: dict[str, int]
    planted: dict[str, np.ndarray]
    expected: dict[str, Expected]
    options: dict[str, Any]
    near: int | None


def plant(maker: Callable[..., Situation], seed: tuple[int, int]) -> Card:
    """Make a situation here, in place of the last, and describe it."""
    clear()
    made = maker(np.random.default_rng(seed), True)
    _planted.append(made)
    if made.threads:
        made.threads.keep_up()
    return Card(
        {name: array.nbytes for name, array in made.arrays.items()},
        {name: array.ctypes.data for name, array in made.arrays.items()},
        made.planted, made.expected, made.options, made.near,
    )  # fmt: skip


def look() -> dict[str, np.ndarray]:
    """Return the node of each page of each array, by the witness."""
    return _planted[-1].look()


def clear() -> None:
    """End the threads of the last situation, and free its arrays."""
    if _planted:
        made = _planted.pop()
        made.arrays.clear()
        if made.threads:
            made.threads.end()
