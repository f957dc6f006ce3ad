"""The description of a kind of page, and helpers of the makers."""

import contextlib
import mmap
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from errno import EFAULT, ENOENT

import numpy as np

from movepages import _core

from . import memory, system
from .memory import PAGE

MOVE, MOVE_ALL = 2, 4
KERNEL = tuple(map(int, platform.release().split("-")[0].split(".")[:2]))
# Before Linux 6.6, move_pages(2) does not see pages that the process may not access.
HIDES = KERNEL < (6, 6)
# Before 6.12 do_pages_stat_array() uses FOLL_DUMP, and LTP's move_pages04 expects its answer.
DUMPS = KERNEL < (6, 12)
COUNT = 8
PROT_RW = mmap.PROT_READ | mmap.PROT_WRITE


def by_policy() -> bool:
    """Return whether get_mempolicy(2) and mbind(2) take the place of move_pages(2).

    They do not tell where a page is that the process may not read, but move it on every kernel.
    """
    return _core.engine() == "policy"


class CannotMakeError(Exception):
    """There are no pages of this kind here; the message says why."""


@dataclass(frozen=True)
class Rule:
    """Expected outcome of a move.

    Attributes
    ----------
    moves : bool or None
        Whether the page reaches its target; None where either is right.
    reasons : frozenset of int
        Negative errnos that are right for a page that stays.
    """

    moves: bool | None = True
    reasons: frozenset[int] = frozenset()


def stays(*reasons: int) -> Rule:
    """Return the rule for a page that never moves."""
    return Rule(False, frozenset(-each for each in reasons))


def may_stay(*reasons: int) -> Rule:
    """Return the rule for a page that may or may not move."""
    return Rule(None, frozenset(-each for each in reasons))


MOVES = Rule()
HOLE = frozenset({-EFAULT if DUMPS else -ENOENT})
NOTHING_THERE = frozenset({-ENOENT, -EFAULT})


@dataclass
class Kind:
    """Pages of one kind.

    Attributes
    ----------
    pages : ndarray of uintp
        Addresses of the pages.
    absent : frozenset of int
        Negative errnos that they give where they are on no node; empty where they are on one.
    rule, rule_all : Rule
        Expected outcome of a move, with MPOL_MF_MOVE and with MPOL_MF_MOVE_ALL.
    hidden : bool
        Whether they may be reported as absent although they are present.
    folios : ndarray
        Equal numbers for pages that only move together.
    data : ndarray of uint8 or None
        Their memory, where it may be read; it must never change.
    witnessed : bool
        Whether get_mempolicy(2) finds them, as it finds most pages that may be read.
    """

    pages: np.ndarray
    absent: frozenset[int] = frozenset()
    rule: Rule = MOVES
    rule_all: Rule | None = None
    hidden: bool = False
    folios: np.ndarray | None = None
    data: np.ndarray | None = None
    witnessed: bool = True
    copy: np.ndarray | None = field(init=False, default=None)
    name: str = ""

    def __post_init__(self) -> None:
        self.pages = np.asarray(self.pages, np.uintp)
        self.rule_all = self.rule_all or self.rule
        self.folios = np.arange(len(self.pages)) if self.folios is None else self.folios
        self.copy = None if self.data is None else self.data.copy()

    def unchanged(self) -> bool:
        """Return whether the memory holds what it held at first."""
        return self.data is None or np.array_equal(self.data, self.copy)


Maker = Callable[[int], contextlib.AbstractContextManager[Kind]]


def entering(makers: dict[str, Maker]) -> Callable[[Callable[[int], Iterator[Kind]]], Maker]:
    """Return a decorator that registers a maker under its name, with blanks for underscores."""

    def enter(function: Callable[[int], Iterator[Kind]]) -> Maker:
        name = function.__name__.replace("_", " ")

        @contextlib.contextmanager
        def named(node: int) -> Iterator[Kind]:
            with contextlib.contextmanager(function)(node) as kind:
                kind.name = name
                yield kind

        makers[name] = named
        return named

    return enter


def fill(array: np.ndarray) -> np.ndarray:
    """Fill memory so that no two of its pages are alike."""
    # A part at a time, because a huge page has up to 512 MiB.
    some = np.arange(1 << 20, dtype=np.uint32).view(np.uint8) % 251
    for start in range(0, array.nbytes, some.nbytes):
        part = array[start : start + some.nbytes]
        part[:] = some[: part.nbytes]
    array[::PAGE] = np.arange(-(-array.nbytes // PAGE)) % 251
    return array


def fresh(node: int, count: int = COUNT, **how: bool) -> np.ndarray:
    """Return filled anonymous memory on a node."""
    array = memory.anonymous(count * PAGE, **how)
    memory.bind(array, node)
    return fill(array)


def of_file(fd: int, node: int, count: int = COUNT) -> np.ndarray:
    """Return a shared mapping of a file, filled on a node."""
    try:
        os.ftruncate(fd, count * PAGE)
        array = np.frombuffer(mmap.mmap(fd, count * PAGE), np.uint8)
    except OSError as error:
        raise CannotMakeError(f"cannot map such a file: {error}") from error
    memory.bind(array, node)
    return fill(array)


def advise(array: np.ndarray, advice: int) -> None:
    """Call madvise(2)."""
    system.succeed(system.libc.madvise(array.ctypes.data, array.nbytes, advice))
