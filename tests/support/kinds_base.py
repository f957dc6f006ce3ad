"""What a kind of page is, and what its makers share."""

import contextlib
import mmap
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from errno import EFAULT, ENOENT

import numpy as np

from . import memory, system
from .memory import PAGE

MOVE, MOVE_ALL = 2, 4
KERNEL = tuple(map(int, platform.release().split("-")[0].split(".")[:2]))
# Before Linux 6.6 move_pages(2) does not see what a process may not touch.
HIDES = KERNEL < (6, 6)
# Until 6.12 do_pages_stat_array() asks with FOLL_DUMP, and LTP's move_pages04 expects its answer.
DUMPS = KERNEL < (6, 12)
COUNT = 8
PROT_RW = mmap.PROT_READ | mmap.PROT_WRITE


class CannotMakeError(Exception):
    """There are no pages of this kind here, and the message says why."""


@dataclass(frozen=True)
class Rule:
    """What a move comes to.

    Attributes
    ----------
    moves : bool or None
        Whether the page goes where it is wanted; None where both are right.
    reasons : frozenset of int
        Errnos, negative, that are right for one that stays.
    """

    moves: bool | None = True
    reasons: frozenset[int] = frozenset()


def stays(*reasons: int) -> Rule:
    """Return the rule of a page that never moves."""
    return Rule(False, frozenset(-each for each in reasons))


def may_stay(*reasons: int) -> Rule:
    """Return the rule of a page that moves or not."""
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
        Their addresses.
    absent : frozenset of int
        What they answer where they are on no node; empty where they are on one.
    rule, rule_all : Rule
        What a move comes to, with MPOL_MF_MOVE and with MPOL_MF_MOVE_ALL.
    hidden : bool
        Whether they may answer as if absent although they are not.
    folios : ndarray
        Equal numbers for pages that can only move together.
    data : ndarray of uint8 or None
        Their memory where it may be read, and shall never change.
    witnessed : bool
        Whether get_mempolicy(2) knows them, as it does most of what may be read.
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
        """Whether the memory holds what it held at first."""
        return self.data is None or np.array_equal(self.data, self.copy)


Maker = Callable[[int], contextlib.AbstractContextManager[Kind]]


def entering(makers: dict[str, Maker]) -> Callable[[Callable[[int], Iterator[Kind]]], Maker]:
    """Return a decorator that enters a maker under its name, with blanks for underscores."""

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
    """Fill memory, so that no two of its pages are alike."""
    array[:] = np.arange(array.nbytes, dtype=np.uint32).view(np.uint8)[: array.nbytes] % 251
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
        raise CannotMakeError(f"no mapping of such a file: {error}") from error
    memory.bind(array, node)
    return fill(array)


def advise(array: np.ndarray, advice: int) -> None:
    """Call madvise(2)."""
    system.succeed(system.libc.madvise(array.ctypes.data, array.nbytes, advice))
