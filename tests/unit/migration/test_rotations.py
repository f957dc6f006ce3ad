"""Members that are interleaved page by page, in huge pages: where each goes, and what is told."""

import numpy as np
import pytest

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from movepages.inputs.members import Members
from movepages.inputs.memory_of import memory_of
from movepages.layouts.by_member import wanted_by
from movepages.layouts.patterns import NOWHERE
from movepages.layouts.rotation import NEARLY
from movepages.migration import sizes
from movepages.migration.folios import HugePages
from movepages.migration.huge_page_targets import TargetChooser
from movepages.migration.layout_targets import wanted_pages
from movepages.migration.preview import preview
from movepages.pages.named import NamedFootprints

PAGE, MIB = 4096, 1 << 20
BASE = 1 << 40
NODES = [0, 1, 2, 3]


class Huge(HugePages):
    """Huge pages at known places."""

    def __init__(self, huge):
        super().__init__(0)
        self._numbers = np.array(sorted(huge), np.uintp) + np.uintp(BASE // HUGE_PAGE_BYTES)

    def now(self, addresses):
        return np.isin(addresses // np.uintp(HUGE_PAGE_BYTES), self._numbers)


class Moved:
    """What a chooser says of members of some sizes, at some distances from `BASE`."""

    def __init__(self, members, layout, huge, slice_mib=256, absent=()):
        names = [f"[{k}]" for k in range(len(members))]
        starts, sizes = [BASE + start for start, _ in members], [size for _, size in members]
        self.footprints = NamedFootprints(names, starts, sizes, {}, {}, PAGE, 0)
        pattern = wanted_by(
            layout, Members(members, self.footprints, "list"), self.footprints.pieces
        )
        chooser = self.chooser = TargetChooser(pattern, Huge(huge), "majority")
        pages = np.concatenate([each for each, _ in self.footprints.pieces.chunks(1 << 16)])
        self.pages = pages[~np.isin(pages, np.array(absent, np.uintp) + np.uintp(BASE))]
        slices = (self.pages - np.uintp(BASE)) // np.uintp(slice_mib * MIB)
        self.asked = pattern.nodes_for(np.arange(len(self.pages)), self.pages)
        parts = []
        self.begun = 0
        for some in np.split(self.pages, np.flatnonzero(np.diff(slices)) + 1):
            wanted = pattern.nodes_for(np.arange(len(some)), some)
            chosen = chooser.forecast(some, np.zeros(len(some), np.int32), wanted)
            parts.append((chosen.each, chosen.wanted))
            self.begun = max(self.begun, len(chooser._rotating._begun))
        self.each, self.wanted = (np.concatenate(column) for column in zip(*parts, strict=True))
        self.overruled = (self.each != self.wanted) & (self.wanted != NOWHERE)

    def of(self, index):
        """Return the indices of the pages of a member."""
        first, nbytes = self.footprints[index].address, self.footprints[index].nbytes
        inside = (self.pages > np.uintp(first - PAGE)) & (self.pages < np.uintp(first + nbytes))
        return np.flatnonzero(inside)

    def ok(self, index):
        return not self.overruled[self.of(index)].any()

    def shares(self, index):
        return np.bincount(self.each[self.of(index)], minlength=4) / len(self.of(index))


def even(moved, index):
    """Return whether each node has its share of a member's pages, or nearly so."""
    return bool((moved.shares(index) >= (1 - NEARLY) / 4).all())


def test_members_of_whole_huge_pages_even_out_by_themselves():
    moved = Moved([(k * 8 * MIB, 8 * MIB) for k in range(3)], mp.interleave(NODES), range(12))
    assert not moved.overruled.any()
    for k in range(3):
        assert moved.shares(k).tolist() == [0.25] * 4
    huge = moved.each.reshape(-1, 512)
    assert (huge == huge[:, :1]).all()


@pytest.mark.parametrize("ahead", range(16, 2 * MIB, 300_000))
def test_huge_pages_that_members_share_count_for_both(ahead):
    """As numpy's arrays lie, each in a mapping of its own that joins the one before."""
    members = [(2 * MIB + ahead + k * (8 * MIB + PAGE), 8 * MIB) for k in range(12)]
    moved = Moved(members, mp.interleave(NODES), range(52))
    assert not moved.overruled.any()
    assert all(even(moved, k) for k in range(12))


def test_small_pages_even_out_what_huge_pages_cannot():
    moved = Moved([(0, 10 * MIB)], mp.interleave(NODES), range(1, 5))
    assert not moved.overruled.any()
    assert moved.shares(0).tolist() == [0.25] * 4


def test_a_member_that_cannot_be_even_is_told_as_overruled_beside_one_that_can():
    members = [(0, 12 * MIB), (16 * MIB, 8 * MIB), (24 * MIB, MIB)]
    moved = Moved(members, mp.interleave(NODES), range(16))
    assert [moved.ok(k) for k in range(3)] == [False, True, False]
    assert np.array_equal(moved.wanted[moved.of(0)], moved.asked[moved.of(0)])
    assert even(moved, 1)


def test_weights():
    moved = Moved([(0, 10 * MIB)], mp.weighted({0: 3, 1: 1, 2: 1}), range(5))
    assert not moved.overruled.any()
    assert moved.shares(0).tolist() == [0.6, 0.2, 0.2, 0]


def test_each_member_has_its_own_nodes():
    members = [(0, 4 * MIB + 4 * PAGE), (4 * MIB + 4 * PAGE, 4 * MIB - 4 * PAGE)]
    targets = {"[0]": mp.interleave([0, 1]), "[1]": mp.interleave([2, 3])}
    moved = Moved(members, targets, range(4))
    # Four pages of the first are on a node of the second, or the other way round.
    assert [moved.ok(0), moved.ok(1)].count(True) <= 1
    apart = Moved([(0, 4 * MIB), (4 * MIB, 4 * MIB)], targets, range(4))
    assert not apart.overruled.any()
    assert apart.shares(0).tolist() == [0.5, 0.5, 0, 0]
    assert apart.shares(1).tolist() == [0, 0, 0.5, 0.5]


def test_a_page_beside_a_member_with_one_node_goes_by_vote():
    members = [(0, 4 * MIB + PAGE), (4 * MIB + PAGE, 2 * MIB - PAGE)]
    moved = Moved(members, {"[0]": mp.interleave([0, 1]), "[1]": 3}, range(3))
    assert (moved.each[moved.of(1)] == 3).all()
    assert not moved.ok(0)
    near = Moved(members, {"[0]": mp.interleave([0, 1]), "[1]": 1}, range(3))
    assert (near.each[near.of(1)] == 1).all()
    assert near.ok(0)


def test_members_in_sequence_are_even_together():
    members = [(k * 16 * MIB, 2 * MIB) for k in range(4)]
    together = Moved(members, mp.together(mp.interleave(NODES)), range(32))
    assert not together.overruled.any()
    assert sorted(together.each[::512].tolist()) == NODES
    alone = Moved(members, mp.interleave(NODES), range(32))
    assert not any(alone.ok(k) for k in range(4))
    one_less = Moved(members[:3], mp.together(mp.interleave(NODES)), range(32))
    assert not any(one_less.ok(k) for k in range(3))


def test_the_same_memory_twice():
    moved = Moved([(0, 8 * MIB), (0, 8 * MIB), (0, 4 * MIB)], mp.interleave(NODES), range(4))
    assert [moved.shares(k).tolist() for k in range(2)] == [[0.25] * 4] * 2
    # The first half has two nodes only, and its pages are those of the others, too.
    assert not moved.ok(2)
    assert moved.overruled[moved.of(2)].any()
    assert not moved.overruled[moved.of(0)][1024:].any()


@pytest.mark.parametrize("slice_mib", [2, 4, 6])
def test_a_member_in_several_slices_is_even_as_a_whole(slice_mib):
    members = [(2 * MIB, 8 * MIB), (10 * MIB, 9 * MIB)]
    moved = Moved(members, mp.interleave(NODES), range(9), slice_mib)
    assert not moved.overruled.any()
    assert even(moved, 0)
    assert even(moved, 1)
    # The last slice alone is small pages, which are due to the node without a huge page.
    rest = Moved([(0, 8 * MIB)], mp.interleave(NODES), range(3), slice_mib)
    assert not rest.overruled.any()
    assert even(rest, 0)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_not_overruled_is_even(seed):
    """Count the pages of members that are ok, whatever lies beside them."""
    random = np.random.default_rng(seed)
    members, end = [], 0
    for _ in range(random.integers(1, 8)):
        end += int(random.choice([0, 16, PAGE, 100_000, 3 * MIB]))
        nbytes = int(random.choice([5, 8, 8, 8, 9.5, 12, 15, 0.5]) * MIB)
        members.append((end, nbytes))
        end += nbytes
    huge = np.flatnonzero(random.random(end // HUGE_PAGE_BYTES + 1) < random.choice([0.5, 1]))
    layout = mp.interleave(NODES)
    if random.random() < 0.3:
        layout = mp.together(layout)
    slice_mib = int(random.choice([256, 2, 10]))
    moved = Moved(members, layout, huge, slice_mib)
    assert np.isin(moved.each, NODES).all()
    exact = moved.each == moved.asked
    assert not moved.overruled[exact].any()
    if isinstance(layout, type(mp.together(mp.interleave(NODES)))):
        return
    for k, (_, nbytes) in enumerate(members):
        pages = moved.of(k)
        if moved.ok(k) and nbytes < 16 * MIB and not exact[pages].all():
            assert even(moved, k), (k, members[k], moved.shares(k))


def test_many_small_members_have_no_rotation():
    members = [(k * 3 * PAGE, 3 * PAGE) for k in range(300)]
    moved = Moved(members, mp.interleave(NODES), range(2))
    assert moved.overruled.any()
    assert np.array_equal(moved.wanted, moved.asked)


def test_rotations_are_forgotten_when_they_end():
    members = [(k * 8 * MIB, 8 * MIB) for k in range(40)]
    for huge in (range(160), []):
        moved = Moved(members, mp.interleave(NODES), huge, slice_mib=10)
        assert not moved.overruled.any()
        assert moved.begun <= 4


def test_borders_follow_pages_that_move_together():
    members, targets = [(0, 8 * MIB), (8 * MIB, MIB)], {"[0]": mp.blocks([0, 1]), "[1]": 3}
    moved = Moved(members, targets, [])
    target = np.full(len(moved.pages), 1, np.int32)
    found = moved.chooser.shifted(moved.pages, target, moved.asked)
    assert (found[moved.of(0)] == 1).all()
    assert (found[moved.of(1)] == 3).all()


def test_borders_do_not_move_to_nodes_of_other_members():
    end = 8 * MIB + MIB // 2
    members, targets = [(0, end), (end, 3 * MIB // 2)], {"[0]": mp.blocks([0, 1]), "[1]": 3}
    moved = Moved(members, targets, range(5))
    assert (moved.each[moved.of(1)] == 3).all()
    assert np.array_equal(moved.overruled, (moved.each == 3) & (moved.asked != 3))
    assert np.count_nonzero(moved.overruled) == 128


@pytest.mark.parametrize("gap", [0, PAGE, 3 * MIB])
@pytest.mark.parametrize("after", [0, PAGE, MIB])
def test_targets_are_chosen_in_the_slices_of_a_move(monkeypatch, gap, after):
    monkeypatch.setattr(sizes, "SLICE_PAGES", 1024)
    memory = np.ones(24 * MIB, np.uint8)
    memory = memory[-memory.ctypes.data % HUGE_PAGE_BYTES :][: 20 * MIB + after]
    arrays = [memory[: 9 * MIB], memory[9 * MIB + gap :]]
    array, footprint = memory_of(arrays)
    pattern = wanted_by(mp.interleave(NODES), array, footprint)
    moved = [len(chosen.wanted) for _, chosen, _ in preview(footprint, pattern, "majority")]
    assert len(moved) > 3
    assert [len(pages) for pages, _ in wanted_pages(footprint, pattern)] == moved
