"""Kinds of pages in plain memory and in files."""

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterator
from errno import EACCES, EBUSY, EFAULT, ENODATA, ENOENT

import numpy as np

from . import memory, system
from .kinds_base import (
    COUNT,
    HIDES,
    HOLE,
    MOVES,
    PROT_RW,
    CannotMakeError,
    Kind,
    Maker,
    advise,
    by_policy,
    entering,
    fill,
    fresh,
    of_file,
    stays,
)
from .memory import PAGE
from .pins import pinned
from .processes import child

_PROT_NONE = 0
_MADV_GUARD_INSTALL = 102
_SYS_MEMFD_SECRET = 447

MAKERS: dict[str, Maker] = {}
maker = entering(MAKERS)


@maker
def shared_with_a_child(node: int) -> Iterator[Kind]:
    # Made before all others: later ones must not be shared with the same child.
    array = fresh(node)
    with child():
        yield Kind(memory.pages_of(array), rule=stays(EACCES), rule_all=MOVES, data=array)


@maker
def ordinary(node: int) -> Iterator[Kind]:
    array = fresh(node, 64)
    yield Kind(memory.pages_of(array), data=array)


@maker
def hole(node: int) -> Iterator[Kind]:
    array = fresh(node)
    memory.discard(array)
    yield Kind(memory.pages_of(array), absent=HOLE)


@maker
def never_touched(node: int) -> Iterator[Kind]:
    array = memory.anonymous(COUNT * PAGE)
    yield Kind(memory.pages_of(array), absent=HOLE)


@maker
def zero_page(node: int) -> Iterator[Kind]:
    array = memory.anonymous(COUNT * PAGE)
    assert not array.any()
    yield Kind(memory.pages_of(array), absent=frozenset({-EFAULT}), data=array)


@maker
def zero_page_not_accessible(node: int) -> Iterator[Kind]:
    array = memory.anonymous(COUNT * PAGE)
    assert not array.any()
    system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, _PROT_NONE))
    yield Kind(memory.pages_of(array), absent=frozenset({-EFAULT}))
    system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, PROT_RW))
    assert not array.any()


@maker
def not_accessible(node: int) -> Iterator[Kind]:
    array = fresh(node)
    system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, _PROT_NONE))
    try:
        rule = stays(ENODATA) if HIDES and not by_policy() else MOVES
        yield Kind(memory.pages_of(array), rule=rule, hidden=HIDES or by_policy())
    finally:
        system.succeed(system.libc.mprotect(array.ctypes.data, array.nbytes, PROT_RW))
    assert np.array_equal(array, fill(np.empty_like(array)))


@maker
def locked(node: int) -> Iterator[Kind]:
    array = fresh(node)
    where = ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
    system.succeed(system.libc.mlock(*where))
    yield Kind(memory.pages_of(array), data=array)


@maker
def given_up(node: int) -> Iterator[Kind]:
    """Pages after MADV_FREE: the kernel may take them when it runs short of memory."""
    array = fresh(node)
    advise(array, mmap.MADV_FREE)
    yield Kind(memory.pages_of(array), data=array)


@maker
def shared_anonymous(node: int) -> Iterator[Kind]:
    array = fresh(node, shared=True)
    yield Kind(memory.pages_of(array), data=array)


@maker
def memfd(node: int) -> Iterator[Kind]:
    with open(os.memfd_create("movepages-test"), "r+b") as file:
        array = of_file(file.fileno(), node)
        yield Kind(memory.pages_of(array), data=array)


@maker
def memfd_hole(node: int) -> Iterator[Kind]:
    with open(os.memfd_create("movepages-test"), "r+b") as file:
        file.truncate(COUNT * PAGE)
        array = np.frombuffer(mmap.mmap(file.fileno(), COUNT * PAGE), np.uint8)
        yield Kind(memory.pages_of(array), absent=frozenset({-ENOENT}))


@maker
def dirty_file(node: int) -> Iterator[Kind]:
    with tempfile.TemporaryFile() as file:
        array = of_file(file.fileno(), node)
        yield Kind(memory.pages_of(array), data=array)


@maker
def mapped_twice(node: int) -> Iterator[Kind]:
    """File pages at two addresses of one process."""
    with open(os.memfd_create("movepages-test"), "r+b") as file:
        one = of_file(file.fileno(), node)
        two = np.frombuffer(mmap.mmap(file.fileno(), one.nbytes), np.uint8)
        assert np.array_equal(one, two)
        pages = np.concatenate((memory.pages_of(one), memory.pages_of(two)))
        alike = np.tile(np.arange(COUNT), 2)
        yield Kind(pages, rule=stays(EACCES), rule_all=MOVES, folios=alike, data=two)


@maker
def private_of_dev_zero(node: int) -> Iterator[Kind]:
    with open("/dev/zero", "r+b", buffering=0) as file:
        mapping = mmap.mmap(file.fileno(), COUNT * PAGE, mmap.MAP_PRIVATE)
    array = np.frombuffer(mapping, np.uint8)
    memory.bind(array, node)
    fill(array)
    yield Kind(memory.pages_of(array), data=array)


@maker
def secret(node: int) -> Iterator[Kind]:
    try:
        fd = system.syscall(_SYS_MEMFD_SECRET, 0)
    except OSError as error:
        raise CannotMakeError(f"memfd_secret: {error}; secretmem.enable=1 may help") from error
    with open(fd, "r+b", buffering=0) as file:
        os.ftruncate(file.fileno(), COUNT * PAGE)
        array = np.frombuffer(mmap.mmap(file.fileno(), COUNT * PAGE), np.uint8)
        fill(array)
        pages, rule = memory.pages_of(array), stays(EBUSY)
        yield Kind(pages, rule=rule, data=array, witnessed=False, hidden=by_policy())


@maker
def pinned_in_a_pipe(node: int) -> Iterator[Kind]:
    array = fresh(node)
    with pinned(*memory.pages_of(array)):
        yield Kind(memory.pages_of(array), rule=stays(EBUSY), data=array)


@maker
def guard_region(node: int) -> Iterator[Kind]:
    array = fresh(node)
    try:
        advise(array, _MADV_GUARD_INSTALL)
    except OSError as error:
        raise CannotMakeError(f"MADV_GUARD_INSTALL: {error}; Linux 6.13 has it") from error
    yield Kind(memory.pages_of(array), absent=frozenset({-ENOENT}))


@maker
def no_mapping(node: int) -> Iterator[Kind]:
    # Below mmap_min_addr, where nothing is ever mapped; in the kernel's half; in neither half.
    lowest = np.arange(4) * 4096
    beyond = [1 << 63, (1 << 64) - (1 << 32), (1 << 64) - 4096]
    yield Kind([*lowest.tolist(), *beyond], absent=frozenset({-EFAULT}))
