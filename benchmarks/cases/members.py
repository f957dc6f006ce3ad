"""Measure the cost of where() of many arrays and of small ones, against the bare call."""

from __future__ import annotations

from statistics import median

import numpy as np

import movepages as mp
from cases.queries import Sizes
from harness.contenders import by_c, timed
from harness.contest import Bound, Line, Row, Skip, both, cost, take_turns

MANY, MANY_RATIO = 100_000, 3
SMALL_ABOVE_C = 8e-6
COLUMNS, COLUMNS_SECONDS = 1_000, 20e-3
MEMBERS_READ, READ_RATIO, RESTORE_RATIO = 10_000, 3, 8


def many_arrays(sizes: Sizes) -> list[Line]:
    arrays = [np.ones(100) for _ in range(MANY)]
    found = mp.where(arrays)
    pages = found.total.addresses
    status = np.full(len(pages), mp.PageStatus.NOT_ATTEMPTED, np.int32)

    def check() -> None:
        assert np.array_equal(status, found.total.status), "C and movepages differ"
        assert len(found) == MANY
        assert found.nbytes == sum(array.nbytes for array in arrays)

    ways = {
        "C": lambda: by_c(pages, None, status),
        "movepages": lambda: timed(lambda: mp.where(arrays)),
    }
    rounds = take_turns(ways, sizes.rounds, check)
    name = f"where() of a list of {MANY:,} small arrays / C on their pages"
    return [cost(name, rounds, "movepages", "C", MANY_RATIO)]


def one_small_array(sizes: Sizes) -> list[Line]:
    array = np.ones(100)
    page = np.array([array.ctypes.data // 4096 * 4096], np.uintp)
    status = np.full(1, mp.PageStatus.NOT_ATTEMPTED, np.int32)
    calls = sizes.one_page_calls

    def check() -> None:
        assert mp.where(array).status.tolist()[:1] == status.tolist()

    ways = {
        "C": lambda: by_c(page, None, status, calls),
        "movepages": lambda: timed(lambda: mp.where(array), calls),
    }
    rounds = take_turns(ways, sizes.rounds, check)
    above = median(each["movepages"] - each["C"] for each in rounds)
    name = "where() of an array of 800 bytes - C"
    bound = Bound("<=", SMALL_ABOVE_C * 1e6)
    return [Row(name, above * 1e6, "us", bound, both(rounds, "C", "movepages"))]


def frame_of_many_columns(sizes: Sizes) -> list[Line]:
    name = f"where() of a frame of {COLUMNS:,} columns: milliseconds"
    try:
        import pandas as pd
    except ModuleNotFoundError:
        return [Skip(name, "needs pandas")]
    frame = pd.DataFrame({f"c{number}": np.ones(1000) for number in range(COLUMNS)})

    def check() -> None:
        found = mp.where(frame)
        assert len(found) == COLUMNS
        assert found.nbytes == frame.memory_usage(index=False).sum()

    rounds = take_turns({"movepages": lambda: timed(lambda: mp.where(frame))}, sizes.rounds, check)
    seconds = median(each["movepages"] for each in rounds)
    return [Row(name, seconds * 1e3, "ms", Bound("<", COLUMNS_SECONDS * 1e3))]


def member_by_member(sizes: Sizes) -> list[Line]:
    arrays = {f"a{number}": np.ones(100) for number in range(MEMBERS_READ)}
    found = mp.where(arrays)
    read: dict[str, mp.Placement] = {}
    results: list[mp.MoveResult] = []

    def check() -> None:
        assert all(read[name].address == array.ctypes.data for name, array in arrays.items())
        assert all(read[name] == mp.where(arrays[name]) for name in list(arrays)[::100])
        assert sum(each.nbytes for each in read.values()) == found.nbytes
        assert results[-1].ok
        assert results[-1].pages == found.pages

    ways = {
        "where()": lambda: timed(lambda: mp.where(arrays)),
        "each member": lambda: timed(lambda: read.update((name, found[name]) for name in found)),
        "move()": lambda: timed(lambda: results.append(mp.move(arrays, found))),
    }
    rounds = take_turns(ways, sizes.rounds, check)
    of = f"{MEMBERS_READ:,} members"
    return [
        cost(f"reading each of {of}: times where()", rounds, "each member", "where()", READ_RATIO),
        cost(f"moving {of} back: times where()", rounds, "move()", "where()", RESTORE_RATIO),
    ]


MEMBERS = (many_arrays, one_small_array, frame_of_many_columns, member_by_member)
