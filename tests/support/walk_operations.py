"""Operations that a random walk calls on a part of an area; walk_moves adds more."""

import contextlib
import mmap
import os
from collections.abc import Callable

import numpy as np

import movepages as mp
from movepages.query import page_query

from .kinds_base import MOVE, MOVE_ALL, advise
from .memory import PAGE
from .walk_judge import NO_PAGE, NOT_ATTEMPTED, STAYED, UNKNOWN, Asked, among, check_where

# Calls the package on the given pages, checks what it reports, and returns a label.
Operation = Callable[[Asked, np.random.Generator, list[int]], str]
OPERATIONS: dict[str, tuple[float, Operation]] = {}


def operation(weight: float) -> Callable[[Operation], Operation]:
    """Return a decorator that registers an operation with its relative frequency."""

    def enter(function: Operation) -> Operation:
        OPERATIONS[function.__name__.strip("_").replace("_", " ")] = weight, function
        return function

    return enter


@operation(1.5)
def where(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    page_query.FEWEST_PAGES = int(random.choice([1, 32, 32]))
    shortcuts = bool(random.random() < 0.6)
    placement = mp.where(
        _seen(asked, random), shortcuts=shortcuts, threads=int(random.choice([1, 2]))
    )
    asked.look()
    check_where(asked, placement)
    return "with shortcuts" if shortcuts else "without"


@operation(1)
def query(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    """Query pages with move_pages(), in any order, some more than once."""
    order = random.integers(len(asked.pages), size=min(len(asked.pages), 200))
    status = mp.move_pages(asked.area.addresses[asked.pages[order]])
    node = asked.look().node[asked.pages[order]]
    right = asked.told(status, node, asked.hidden()[order])
    said = np.full(len(asked.pages), NOT_ATTEMPTED, np.int32)
    said[order] = status
    wrong = np.zeros(len(asked.pages), bool)
    wrong[order[~right]] = True
    asked.lie(wrong & asked.still, "query", said)
    return ""


@operation(1)
def move_pages(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    """Move pages with move_pages(), in any order, to one node or several."""
    order = random.permutation(len(asked.pages))[:200]
    target = in_rows(random, nodes, len(order))
    flags = int(random.choice([MOVE, MOVE_ALL]))
    one = bool(random.random() < 0.5)
    target = np.full(len(order), target[0], np.int32) if one else target
    pages = asked.pages[order]
    given = int(target[0]) if one else target
    try:
        status, error = mp.move_pages(asked.area.addresses[pages], given, flags=flags), None
    except mp.MovePagesError as failure:
        status, error = failure.status, failure
    node = asked.look().node[pages]
    right = np.select(
        [status >= 0, among(status, NO_PAGE), status == UNKNOWN, among(status, STAYED),
         status == NOT_ATTEMPTED],
        [(node == status) & (status == target), node < 0, asked.hidden()[order], node != target,
         error is not None],
    ).astype(bool)  # fmt: skip
    wrong = np.zeros(len(asked.pages), bool)
    wrong[order[~right]] = True
    said, wanted = np.full((2, len(asked.pages)), NOT_ATTEMPTED, np.int32)
    said[order], wanted[order] = status, target
    asked.lie(wrong & asked.still, "move_pages", said, wanted)
    return "one node" if one else "several"


def _seen(asked: Asked, random: np.random.Generator) -> object:
    """Return the same memory, sometimes in another form."""
    array = asked.array
    draw = random.random()
    if draw < 0.15 and array.flags.c_contiguous:
        pid = os.getpid() if random.random() < 0.5 else 0
        return mp.Region(array.ctypes.data, array.nbytes, pid=pid)
    if draw < 0.3:
        array = array.view()
        array.flags.writeable = False
    return array


def in_rows(random: np.random.Generator, nodes: list[int], count: int) -> np.ndarray:
    row = int(random.choice([1, 7, 64, 512]))
    return random.choice(nodes, -(-count // row)).repeat(row)[:count].astype(np.int32)


@operation(0.3)
def collapse(asked: Asked, random: np.random.Generator, nodes: list[int]) -> str:
    result = mp.collapse(asked.array)
    # collapse() lifts this advice, and khugepaged would change pages between two looks.
    with contextlib.suppress(OSError):
        advise(asked.area.array, mmap.MADV_NOHUGEPAGE)
    there = asked.look().there[asked.pages]
    total = result.collapsed + result.already_huge + result.outside + sum(result.failures.values())
    asked.expect("the sum of the counts", total, result.nbytes)
    asked.expect("nbytes", result.nbytes, len(asked.pages) * PAGE)
    gone = asked.before.there[asked.pages] & ~there & asked.still
    asked.lie(gone, "absent after collapse()", asked.before.node[asked.pages])
    return "ok" if result.ok else "in part"
