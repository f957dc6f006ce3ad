"""Presence: the kinds of page table entries, as the core numbers them."""

import mmap

import numpy as np

from movepages import _core
from movepages.system.presence import Presence, presence_runs
from support import memory


def test_core_and_enum_have_the_same_numbers():
    assert {kind.name.lower().replace("_", " "): kind.value for kind in Presence} == _core.PRESENCE


def test_runs_of_a_range():
    a = memory.anonymous(4 * mmap.PAGESIZE)
    a[mmap.PAGESIZE] = 1
    assert a[2 * mmap.PAGESIZE] == 0
    start, size = a.ctypes.data, mmap.PAGESIZE
    runs = presence_runs(np.array([start], np.uintp), np.array([start + a.nbytes], np.uintp), 0)
    kinds = {
        (int(first) - start) // size: Presence(kind) for first, _, kind in zip(*runs, strict=True)
    }
    assert kinds[0] is kinds[3] is Presence.NOTHING
    assert kinds[1] in (Presence.PAGE, Presence.OWN_PAGE)
    assert kinds[2] in (Presence.ZERO_PAGE, Presence.PAGE_OR_ZERO)
