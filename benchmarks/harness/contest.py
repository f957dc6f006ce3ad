"""Contests: rounds in which all contenders take turns, and ratios within a round.

A change in the machine's speed affects all contenders of a round. So each ratio is taken within its
round, and the result is the median over the rounds.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import numpy as np

import movepages as mp
from harness.contenders import Contender, by_c

Rounds = list[dict[str, float]]


def take_turns(
    contenders: Mapping[str, Callable[[], float]],
    rounds: int,
    check: Callable[[], None],
    prepare: Callable[[], None] = lambda: None,
) -> Rounds:
    """Return the measurement of each contender in each round, after one round of warm-up.

    The order of the contenders alternates. `check` compares the answers of a round.
    """
    found: Rounds = []
    for turn in range(rounds + 1):
        prepare()
        order = list(contenders)[:: 1 if turn % 2 else -1]
        found.append({name: contenders[name]() for name in order})
        check()
    return found[1:]


def query_rounds(
    pages: np.ndarray, contenders: Mapping[str, Contender], rounds: int, calls: int = 1
) -> Rounds:
    """Let each contender, and C, query the same pages into a status array of its own."""
    everybody = {"C": by_c, **contenders}
    status = {name: np.empty(len(pages), np.int32) for name in everybody}

    def prepare() -> None:
        for each in status.values():
            each.fill(mp.PageStatus.NOT_ATTEMPTED)

    def check() -> None:
        assert (status["C"] >= 0).all(), "some pages are no longer present"
        for name, each in status.items():
            assert np.array_equal(each, status["C"]), f"{name} and C differ"

    def turn(name: str, ask: Contender) -> Callable[[], float]:
        return lambda: ask(pages, None, status[name], calls)

    turns = {name: turn(name, ask) for name, ask in everybody.items()}
    return take_turns(turns, rounds, check, prepare)


def ratio(rounds: Rounds, of: str, to: str) -> float:
    """Return the median over the rounds of the ratio within each."""
    return median(each[of] / each[to] for each in rounds)


def seconds(rounds: Rounds, name: str) -> float:
    return median(each[name] for each in rounds)


@dataclass(frozen=True)
class Bound:
    """A bound for a figure: at most or at least `limit`, or a ratio "within" it both ways."""

    relation: str
    limit: float

    def holds(self, value: float) -> bool:
        if self.relation == "within":
            return 1 / self.limit <= value <= self.limit
        return {"<=": operator.le, "<": operator.lt, ">=": operator.ge}[self.relation](
            value, self.limit
        )


@dataclass(frozen=True)
class Row:
    """One figure: a ratio within a run (unit "x"), or an absolute measure."""

    name: str
    value: float
    unit: str = "x"
    bound: Bound | None = None
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        return None if self.bound is None else self.bound.holds(self.value)


@dataclass(frozen=True)
class Skip:
    """A row that cannot be measured here, and why."""

    name: str
    why: str


Line = Row | Skip


def faster(name: str, rounds: Rounds, slow: str, fast: str, bound: float | None = None) -> Row:
    """Return how many times faster one contender is than another."""
    return Row(
        name,
        ratio(rounds, slow, fast),
        bound=None if bound is None else Bound(">=", bound),
        detail=both(rounds, slow, fast),
    )


def cost(name: str, rounds: Rounds, of: str, to: str, bound: float | None = None) -> Row:
    """Return the time of one contender as a multiple of another's."""
    return Row(
        name,
        ratio(rounds, of, to),
        bound=None if bound is None else Bound("<=", bound),
        detail=both(rounds, to, of),
    )


def both(rounds: Rounds, *names: str) -> str:
    return ", ".join(f"{name} {in_words(seconds(rounds, name))}" for name in names)


def in_words(duration: float) -> str:
    """Return a duration with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if duration >= size:
            return f"{duration / size:.3g} {unit}"
    return f"{duration * 1e9:.3g} ns"
