"""empty() with a layout: which of its memory may be in huge pages."""

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from support import memory

NODE = mp.topology().allowed_nodes[0]


def refused_frames(a):
    """Return which whole huge pages of an array lie in mappings with MADV_NOHUGEPAGE."""
    refused, edges = [], (0, 0)
    with open("/proc/self/smaps", encoding="utf-8") as lines:
        for line in lines:
            first = line.split(maxsplit=1)[0]
            if "-" in first and not first.endswith(":"):
                edges = tuple(int(part, 16) for part in first.split("-"))
            elif first == "VmFlags:" and "nh" in line.split():
                refused.append(edges)
    starts = range(
        -(-a.ctypes.data // HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES,
        (a.ctypes.data + a.nbytes) // HUGE_PAGE_BYTES * HUGE_PAGE_BYTES,
        HUGE_PAGE_BYTES,
    )
    return [any(low <= start < high for low, high in refused) for start in starts]


@pytest.fixture(autouse=True)
def _huge_pages():
    if not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")


class Cut:
    """A layout that cuts some huge pages of one array: every second page of them has no target."""

    only = None
    distinct = (NODE,)

    def __init__(self, frames):
        self.frames = frames

    def over(self, array, _footprint):
        self.first = -(-array.ctypes.data // HUGE_PAGE_BYTES)
        return self

    def nodes_for(self, _start, addresses):
        frame = (addresses // np.uintp(HUGE_PAGE_BYTES)).astype(np.int64) - self.first
        odd = addresses // np.uintp(memory.PAGE) % 2 == 1
        return np.where(odd & np.isin(frame, self.frames), -1, NODE).astype(np.int32)


@pytest.mark.parametrize("cut", [[], [0], [1, 2, 5], range(6)])
def test_only_huge_pages_that_the_layout_cuts_are_kept_small(cut):
    a = mp.empty(7 * HUGE_PAGE_BYTES, np.uint8, layout=Cut(list(cut)))
    found = refused_frames(a)[:6]
    assert found == [frame in cut for frame in range(6)]
    assert mp.where(a).absent_bytes == 0


def test_huge_pages_are_allowed_for_one_node_and_on_request():
    size = 4 * HUGE_PAGE_BYTES
    assert not any(refused_frames(mp.empty(size, np.uint8, layout=mp.blocks([NODE, NODE]))))
    assert not any(refused_frames(mp.empty(size, np.uint8, layout=Cut([1]), huge="thp")))
