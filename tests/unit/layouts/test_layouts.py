"""Layouts compared with lists of every byte."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages._core import HUGE_PAGE_BYTES
from movepages.pages.buffers import footprint_of
from movepages.pages.footprint import Footprint
from support import memory

PAGE = memory.PAGE
# With pages this small, arrays of many pages can be listed byte by byte.
SMALL = 64

NODES = st.lists(st.integers(0, 5), min_size=1, max_size=5)


def over(layout, a, size=SMALL):
    """Return the nodes of all pages, computed in parts of an odd length, as in a move."""
    footprint = footprint_of(a, page_size=size)
    pattern = layout.over(a, footprint)
    parts, start = [np.empty(0, np.int32)], 0
    for addresses, _ in footprint.chunks(7):
        parts.append(pattern.nodes_for(np.arange(start, start + len(addresses)), addresses))
        start += len(addresses)
    found = np.concatenate(parts)
    assert found.dtype == np.int32
    assert set(found.tolist()) <= set(pattern.distinct)
    assert pattern.only is None or (found == pattern.only).all()
    return found


def bytes_of(a):
    """Return the address of each byte of an array, ascending, and the element it belongs to."""
    first = np.zeros(a.shape, np.int64)
    for axis, stride in enumerate(a.strides):
        shape = [-1 if k == axis else 1 for k in range(a.ndim)]
        first = first + (np.arange(a.shape[axis]) * stride).reshape(shape)
    start = first.ravel()[:, None] + np.arange(a.itemsize)
    address = a.ctypes.data + start.ravel()
    element = np.repeat(np.arange(a.size), a.itemsize)
    order = np.argsort(address, kind="stable")
    return address[order], element[order]


@st.composite
def arrays(draw):
    shape = draw(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    whole = np.zeros([n * 2 for n in shape], draw(st.sampled_from(["u1", "i4", "c16", "S7"])))
    a = whole.transpose(draw(st.permutations(range(whole.ndim))))
    cuts = [draw(st.sampled_from(["all", "half", "step", "back"])) for _ in shape]
    how = {
        "all": np.s_[:],
        "half": np.s_[: (a.shape[0] + 1) // 2],
        "step": np.s_[::2],
        "back": np.s_[::-1],
    }
    return a[tuple(how[cut] for cut in cuts)]


@pytest.mark.host
@given(arrays(), NODES)
def test_blocks_give_a_page_to_the_share_of_its_middle(a, nodes):
    address, _ = bytes_of(a)
    page = address // SMALL
    expected = []
    for each in np.unique(page):
        inside = np.flatnonzero(page == each)
        expected.append(nodes[(inside[0] + inside[-1]) * len(nodes) // (2 * len(address))])
    assert over(mp.blocks(nodes), a).tolist() == expected


@pytest.mark.host
@given(arrays(), NODES, st.integers(0, 2))
def test_by_axis_gives_a_page_to_the_block_of_most_of_it(a, nodes, axis):
    axis %= a.ndim
    found = over(mp.by_axis(axis, nodes), a)
    address, element = bytes_of(a)
    index = np.unravel_index(element, a.shape)[axis]
    share = index * len(nodes) // a.shape[axis]
    pages = np.unique(address // SMALL)
    assert len(found) == len(pages)
    for page, node in zip(pages, found, strict=True):
        shares = np.unique(share[address // SMALL == page])
        assert node in {nodes[each] for each in shares}
        if len(shares) == 1:
            assert node == nodes[shares[0]]


def test_by_axis_of_a_matrix_and_its_views():
    m = np.ndarray((8, 2 * PAGE), np.uint8, memory.anonymous(16 * PAGE))
    rows, columns = mp.by_axis(0, [0, 1, 2, 3]), mp.by_axis(-1, [0, 1])
    in_rows = np.repeat([0, 1, 2, 3], 4).tolist()
    in_columns = [0, 1] * 8
    assert mp.targets(m, rows).tolist() == in_rows
    assert mp.targets(m, columns).tolist() == in_columns
    assert mp.targets(m[::-1], rows).tolist() == in_rows[::-1]
    assert mp.targets(m.T, mp.by_axis(1, [0, 1, 2, 3])).tolist() == in_rows
    assert mp.targets(m[:, ::-1], columns).tolist() == in_columns[::-1]
    assert mp.targets(m[::2, :PAGE], rows).tolist() == [0, 1, 2, 3]


@pytest.mark.host
@given(arrays(), NODES, st.integers(1, 4))
def test_interleave_takes_turns(a, nodes, pages):
    found = over(mp.interleave(nodes, block=pages * PAGE), a, PAGE)
    turn = np.arange(len(found)) // pages
    assert found.tolist() == [nodes[each % len(nodes)] for each in turn]


@pytest.mark.host
@given(st.integers(0, 3 * HUGE_PAGE_BYTES), st.integers(1, 12 * HUGE_PAGE_BYTES), NODES)
def test_large_blocks_cut_no_huge_page(ahead, nbytes, nodes):
    layout = mp.interleave(nodes, block=2 * HUGE_PAGE_BYTES)
    footprint = Footprint((1 << 40) + ahead, nbytes)
    pattern = layout.over(None, footprint)
    page = np.concatenate([addresses for addresses, _ in footprint.chunks(1 << 16)])
    found = pattern.nodes_for(np.arange(len(page)), page)
    frame = page // np.uintp(HUGE_PAGE_BYTES)
    changes = np.flatnonzero(found[1:] != found[:-1]) + 1
    assert (frame[changes] != frame[changes - 1]).all()
    assert found[0] == nodes[0]


def test_default_block_is_a_huge_page_for_large_arrays():
    for frames, block in ((3, PAGE), (4, HUGE_PAGE_BYTES)):
        footprint = Footprint(1 << 40, frames * HUGE_PAGE_BYTES)
        addresses = np.uintp(1 << 40) + np.arange(600, dtype=np.uintp) * np.uintp(PAGE)
        pattern = mp.interleave([0, 1]).over(None, footprint)
        found = pattern.nodes_for(np.arange(600), addresses)
        assert np.argmax(found != 0) == block // PAGE


@pytest.mark.host
@given(st.dictionaries(st.integers(0, 9), st.integers(0, 9), min_size=1, max_size=5))
def test_weights(shares):
    total = sum(shares.values())
    if not total:
        with pytest.raises(ValueError, match="not all 0"):
            mp.weighted(shares)
        return
    nodes = mp.weighted(shares).nodes
    assert {node: nodes.count(node) for node in shares} == shares
    # Every prefix is close to its share.
    for length, (node, share) in itertools.product(range(1, total + 1), shares.items()):
        assert abs(nodes[:length].count(node) - length * share / total) <= len(shares)


def test_large_weights_are_reduced():
    assert mp.weighted({0: 300 << 30, 1: 100 << 30}) == mp.weighted({0: 3, 1: 1})
    with pytest.raises(ValueError, match="65,536 turns in all, got 400,001 from"):
        mp.weighted({0: 300_000, 1: 100_001})


def test_like_follows_an_array_of_another_length():
    runs = np.array([(0, 2, 8192, 3), (8192, 1, 4096, -2), (12288, 1, 4096, 1)], mp.where(
        np.zeros(1)).runs.dtype)  # fmt: skip
    placement = mp.Placement(
        address=0, nbytes=16384, pages=4, page_size=4096, shared_edges=0, runs=runs
    )
    a = memory.anonymous(8 * PAGE)
    assert mp.targets(a, mp.like(placement)).tolist() == [3, 3, 3, 3, -1, -1, 1, 1]
    assert mp.targets(a[:0], mp.like(placement)).tolist() == []


def test_like_of_an_array_is_a_target():
    a, b = memory.anonymous(8 * PAGE), memory.anonymous(4 * PAGE)
    node = mp.topology().allowed_nodes[0]
    # This thread may come to run on another node between the two.
    memory.bind(a, node)
    memory.bind(b, node)
    a[: 4 * PAGE] = 1
    b[:] = 1
    assert mp.where(a).status[0] == node
    layout = mp.like(a)
    assert mp.targets(b, layout).tolist() == [node, node, -1, -1]
    result = mp.move(b, layout)
    # A page without a target stays.
    assert (result.already_there, result.not_attempted, result.moved) == (2, 2, 0)
    assert (result.untargeted, result.ok) == (2, False)
    assert str(result) == "4 pages: 0 moved, 2 already there, 2 without a target"


def test_local_is_near_its_cpus():
    machine = mp.topology()
    a = memory.anonymous(4 * PAGE)
    for node in machine.nodes.values():
        for cpu in list(node.cpus)[:1]:
            found = set(mp.targets(a, mp.local([cpu])).tolist())
            assert found <= set(machine.allowed_nodes)
            assert len(found) == 1
    assert set(mp.targets(a, mp.local()).tolist()) <= set(machine.allowed_nodes)
    with pytest.raises(ValueError, match="cpus: 99999 is not a CPU"):
        mp.local([99999])


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: mp.interleave([]), ValueError, "nodes: expected a sequence"),
        (lambda: mp.blocks(3), ValueError, "nodes: expected a sequence"),
        (lambda: mp.blocks([0.5]), TypeError, "nodes: expected"),
        (lambda: mp.interleave([0], block=100), ValueError, "block: expected a multiple"),
        (lambda: mp.interleave([0], block=0), ValueError, "block: expected a multiple"),
        (lambda: mp.weighted([0, 1]), TypeError, "shares: expected a mapping such as"),
        (lambda: mp.weighted({}), ValueError, "shares: expected whole numbers"),
        (lambda: mp.weighted({0: -1, 1: 2}), ValueError, "shares: expected whole numbers"),
        (lambda: mp.weighted({0: 0.75, 1: 0.25}), TypeError, "shares: expected whole numbers"),
        (lambda: mp.weighted({"0": 1}), TypeError, "shares: expected whole numbers"),
        (lambda: mp.interleave([0], block=4096.0), TypeError, "block: expected a multiple"),
        (lambda: mp.interleave([0], block="2MiB"), TypeError, "block: expected a multiple"),
        (lambda: mp.targets(np.zeros(3), mp.by_axis(1, [0])), ValueError, "axis 1 is out of"),
        (lambda: mp.targets(bytearray(3), mp.by_axis(0, [0])), TypeError, "expected a numpy array"),
    ],
)
def test_invalid_layouts(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_targets_of_everything_that_move_accepts():
    a = np.ones(3 * PAGE, np.uint8)
    pages = mp.where(a).pages
    assert mp.targets(a, 3).tolist() == [3] * pages
    assert mp.targets(a, np.arange(pages)).tolist() == list(range(pages))
    assert mp.targets(a, mp.where(a)).tolist() == mp.where(a).status.tolist()
    with pytest.raises(TypeError, match="target: expected"):
        mp.targets(a, "rows")


# A node may have several turns, or be the only one; blocks range from a page to more than all.
@pytest.mark.host
@given(NODES, st.lists(st.integers(1, 9), min_size=1, max_size=6), st.sampled_from([1, 2, 3]))
def test_turns_continue_after_a_part(nodes, parts, block):
    layout, taken = mp.interleave(nodes, block=block * PAGE), itertools.cycle(nodes)
    for pages in parts:
        region = mp.Region(1 << 30, pages * PAGE)
        expected = np.repeat([next(taken) for _ in range(-(-pages // block))], block)[:pages]
        assert mp.targets(region, layout).tolist() == expected.tolist()
        layout = layout.after(region)


def test_turns_of_huge_blocks_begin_where_huge_pages_do():
    layout = mp.interleave([0, 1, 2], block=HUGE_PAGE_BYTES)
    region = mp.Region(5 * HUGE_PAGE_BYTES - PAGE, HUGE_PAGE_BYTES + 2 * PAGE)
    assert set(mp.targets(region, layout).tolist()) == {0, 1, 2}
    assert mp.targets(region, layout.after(region))[0] == 0
    within = mp.Region(5 * HUGE_PAGE_BYTES, PAGE)
    assert mp.targets(within, layout.after(within)).tolist() == [1]


def test_repr_of_a_layout():
    assert repr(mp.interleave([0, 2])) == "Interleave(nodes=(0, 2), block=None)"
    assert mp.blocks([0, 1]) == mp.blocks((0, 1))


def test_a_broadcast_axis_and_one_of_a_single_index():
    a = np.broadcast_to(np.zeros(3 * PAGE, np.uint8), (5, 3 * PAGE))
    assert set(mp.targets(a, mp.by_axis(0, [4, 5])).tolist()) == {4}
    assert set(mp.targets(np.zeros((1, PAGE)), mp.by_axis(0, [4, 5])).tolist()) == {4}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_by_axis_of_a_slice_whose_strides_are_no_multiples_of_each_other(axis):
    a = np.zeros((8, 20, 4096))[:, ::3]
    address, element = bytes_of(a)
    share = np.unravel_index(element, a.shape)[axis] * 2 // a.shape[axis]
    pages, inverse = np.unique(address // PAGE, return_inverse=True)
    votes = np.zeros((len(pages), 2), np.int64)
    np.add.at(votes, (inverse, share), 1)
    found = mp.targets(a, mp.by_axis(axis, [0, 1]))
    clear = np.abs(votes[:, 0] - votes[:, 1]) > PAGE // 2
    assert clear.any()
    assert np.array_equal(found[clear], votes.argmax(axis=1)[clear])


def test_by_axis_beside_an_axis_of_one_index():
    a = np.zeros((200_000, 2))[:, ::3]
    found = mp.targets(a, mp.by_axis(0, [0, 1]))
    assert abs(np.count_nonzero(found) - len(found) / 2) <= 1
