"""A table of the changes that a walk makes to the pages of an area between calls."""

import contextlib
import ctypes
import mmap
import os
from collections.abc import Callable

import numpy as np

from . import forks, memory, system
from .kinds_base import KERNEL, PROT_RW, CannotMakeError, advise
from .memory import PAGE
from .pins import pinned
from .processes import child
from .walk_areas import Area

_PROT_NONE = 0
_MADV_COLD, _MADV_COLLAPSE, _MADV_GUARD_INSTALL, _MADV_GUARD_REMOVE = 20, 25, 102, 103
_MOST_PINNED = 16
_LONGEST = 80
_MOST_FORKS = 0.05
_BATCHES = (6, 3)

# Changes the pages of an area from the first to before the last.
Change = Callable[[Area, np.random.Generator, int, int], None]
CHANGES: dict[str, Change] = {}


def _enter(function: Change) -> Change:
    CHANGES[function.__name__.strip("_").replace("_", " ")] = function
    return function


def change(area: Area, random: np.random.Generator) -> str:
    """Change some pages of an area; return the name of the change, '' if it is not possible."""
    if area.whole > 1:
        return ""
    name = str(random.choice(list(CHANGES)))
    first = int(random.integers(area.pages))
    last = min(first + int(random.choice([1, 3, 16, _LONGEST])), area.pages)
    try:
        CHANGES[name](area, random, first, last)
    except (CannotMakeError, OSError):
        return ""
    return name


def _free(area: Area, first: int, last: int, *states: str) -> None:
    """Raise if another state of these pages prevents a change, or allows only part of it."""
    # Only the pin holds a pinned page that is given up: another page takes its place.
    for state in ("pinned", *states):
        if getattr(area, state)[first:last].any():
            raise CannotMakeError(state)


@_enter
def write(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    area.rewrite(first, last, int(random.integers(1 << 62)))


@_enter
def read(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    """A page never written becomes the zero page; a page of a file is mapped."""
    area.array[first * PAGE : last * PAGE : PAGE][(area.open & ~area.gone)[first:last]].max(
        initial=0
    )


@_enter
def give_up(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _free(area, first, last, "locked", "gone")
    advise(area.part(first, last), mmap.MADV_DONTNEED)
    area.forget(first, last)


@_enter
def unmap(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _free(area, first, last)
    part = area.part(first, last)
    system.succeed(system.libc.munmap(part.ctypes.data, part.nbytes))
    area.forget(first, last)
    area.gone[first:last] = True
    for state in (area.guarded, area.locked):
        state[first:last] = False
    area.open[first:last] = False


@_enter
def map_anew(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    if area.gone.any():
        first = int(area.gone.argmax())
        last = first + int(np.argmin([*area.gone[first:], False]))
    _free(area, first, last)
    area.map(area.part(first, last).ctypes.data, first, last - first)
    with contextlib.suppress(OSError):
        advise(area.part(first, last), mmap.MADV_NOHUGEPAGE)
    area.forget(first, last)
    for state in (area.guarded, area.gone, area.locked):
        state[first:last] = False
    area.open[first:last] = True


@_enter
def forbid(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _protect(area, first, last, _PROT_NONE)


@_enter
def allow(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _protect(area, 0, area.pages, PROT_RW)


def _protect(area: Area, first: int, last: int, how: int) -> None:
    _free(area, first, last, "gone")
    part = area.part(first, last)
    system.succeed(system.libc.mprotect(part.ctypes.data, part.nbytes, how))
    area.open[first:last] = (how == PROT_RW) & ~area.guarded[first:last]


@_enter
def guard(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _free(area, first, last, "locked", "gone")
    advise(area.part(first, last), _MADV_GUARD_INSTALL)
    area.forget(first, last)
    area.guarded[first:last] = True
    area.open[first:last] = False


@_enter
def take_guards_away(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _free(area, 0, area.pages, "gone", "locked")
    if not area.guarded.any():
        raise CannotMakeError("no guards")
    advise(area.array, _MADV_GUARD_REMOVE)
    _protect(area, 0, area.pages, PROT_RW)
    area.guarded[:] = False
    area.open[:] = True


@_enter
def pin(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    if "pin" in area.held or not area.open[first:last].all():
        raise CannotMakeError("pinned already, or not readable")
    # On these kernels, each of the 512 pieces of a pinned folio that small entries map costs a
    # call of its own, in which the kernel tries ten times. That takes minutes under emulation.
    if area.mixed and KERNEL < _BATCHES:
        raise CannotMakeError("too slow")
    some = np.arange(first, last)[:_MOST_PINNED]
    area.rewrite(first, last, int(random.integers(1 << 62)))
    held = contextlib.ExitStack()
    held.enter_context(pinned(*area.addresses[some].tolist()))
    area.held["pin"] = held
    area.pinned[some] = True
    held.callback(area.pinned.fill, False)


@_enter
def unpin(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    area.release("pin")


@_enter
def fork(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    """Share all present pages with a child, until it is released."""
    if "child" in area.held or "pin" in area.held:
        raise CannotMakeError("has a child or a pin already")
    held = contextlib.ExitStack()
    held.enter_context(child())
    area.held["child"] = held


@_enter
def end_of_child(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    area.release("child")


@_enter
def lock(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    if not area.open[first:last].all():
        raise CannotMakeError("not readable")
    part = area.part(first, last)
    where = ctypes.c_void_p(part.ctypes.data), ctypes.c_size_t(part.nbytes)
    locks = not area.locked[first:last].any()
    system.succeed((system.libc.mlock if locks else system.libc.munlock)(*where))
    area.locked[first:last] = locks


@_enter
def cool(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    """Give advice that splits a huge page if it covers a part of it."""
    advise(area.part(first, last), _MADV_COLD)


@_enter
def join(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    """Have the kernel collapse small pages into huge ones, as far as it can."""
    if not memory.huge_page_size() or area.shared or not area.mixed or area.gone.any():
        raise CannotMakeError("no huge pages")
    advise(area.array, mmap.MADV_HUGEPAGE)
    try:
        advise(area.array, _MADV_COLLAPSE)
    finally:
        advise(area.array, mmap.MADV_NOHUGEPAGE)


@_enter
def move_addresses(area: Area, random: np.random.Generator, first: int, last: int) -> None:
    _free(area, 0, area.pages, "gone")
    area.move_addresses(int(random.integers(512)))


def disturb(
    area: Area, wild: np.ndarray, stop: Callable[[], bool], random: np.random.Generator
) -> None:
    """Unmap, map, write, protect and fork, only at `wild` pages of an area, until told to stop."""
    while not stop():
        first = int(random.choice(wild))
        part = area.part(first, first + 1)
        how = int(random.integers(5))
        if how == 0:
            system.succeed(system.libc.munmap(part.ctypes.data, PAGE))
        elif how == 1:
            # This fails where nothing is mapped.
            system.libc.mprotect(part.ctypes.data, PAGE, int(random.choice([0, PROT_RW])))
        elif how == 2 and random.random() < _MOST_FORKS:
            pid = forks.fork()
            if pid == 0:
                os._exit(0)
            os.waitpid(pid, 0)
        area.map(part.ctypes.data, first, 1)
        if how > 2:
            ctypes.memset(part.ctypes.data, 1, 8)
