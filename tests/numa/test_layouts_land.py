"""Every layout is carried out: get_mempolicy(2) finds each page where the layout wants it."""

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

PAGE = memory.PAGE


def layouts(chosen, a):
    rows = a.reshape(8, -1)
    placed = memory.anonymous(64 * PAGE, chosen[0])
    mp.move(placed, mp.blocks(chosen)).raise_for_status()
    weights = {node: index + 1 for index, node in enumerate(chosen)}
    return {
        "interleave": (a, mp.interleave(chosen, block=PAGE)),
        "interleave by huge pages": (a, mp.interleave(chosen)),
        "weighted": (a, mp.weighted(weights)),
        "blocks": (a, mp.blocks(chosen)),
        "by rows": (rows, mp.by_axis(0, chosen)),
        "by columns": (rows, mp.by_axis(1, chosen)),
        "like": (a, mp.like(placed)),
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_small_pages(two_nodes, count):
    """Go through the lab's nodes from the last: one without CPUs is always among them."""
    chosen = nodes.allowed()[::-1][:count]
    if len(chosen) < count:
        pytest.skip(f"needs {count} nodes with memory, this process may use {len(chosen)}")
    a = memory.anonymous(9 * 512 * PAGE // 8 * 8, chosen[0])
    for name, (array, layout) in layouts(chosen, a).items():
        wanted = mp.targets(array, layout)
        assert set(wanted.tolist()) == set(chosen), name
        r = mp.move(array, layout)
        assert (r.ok, r.overruled) == (True, 0), (name, str(r))
        assert np.array_equal(witness.nodes_of(memory.pages_of(a)), wanted), name
        assert r.moved + r.already_there == len(wanted)
    a[::PAGE] = 7
    assert (a[::PAGE] == 7).all()


@pytest.mark.parametrize("block", [PAGE, None])
def test_new_arrays_follow_their_layout_page_by_page(two_nodes, block):
    """This also holds where the kernel allocates huge pages by itself, which a layout can cut."""
    chosen = nodes.allowed()
    for layout in (mp.interleave(chosen, block=block), mp.blocks(chosen)):
        a = mp.full(5 << 20, 3, np.uint8, layout=layout)
        assert np.array_equal(witness.nodes_of(memory.pages_of(a)), mp.targets(a, layout))
        assert (a == 3).all()


@pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")
@pytest.mark.parametrize("count", [1, 2, 4])
def test_huge_pages_go_to_wanted_nodes_and_each_node_gets_its_bytes(
    two_nodes, huge_page_size, count
):
    chosen = nodes.allowed()[:count]
    if len(chosen) < count:
        pytest.skip(f"needs {count} nodes with memory, this process may use {len(chosen)}")
    frames = 16
    # A layout gives a node two thirds of them at most.
    if min(map(nodes.free_bytes, chosen)) < frames * huge_page_size * 3 // 4:
        pytest.skip("needs room for 12 huge pages on each node")
    a = memory.anonymous(frames * huge_page_size, chosen[0], huge=True)
    if witness.huge_bytes(a) < a.nbytes:
        pytest.skip("needs 16 huge pages on one node, the kernel gave fewer")
    memory.keep_as_it_is(a)
    per = huge_page_size // PAGE
    for name, (array, layout) in layouts(chosen, a).items():
        wanted = mp.targets(array, layout).reshape(frames, per)
        votes = np.stack([(wanted == node).sum(axis=1) for node in chosen])
        r = mp.move(array, layout)
        found = witness.nodes_of(memory.pages_of(a)).reshape(frames, per)
        assert (r.failed, witness.huge_bytes(a)) == (0, a.nbytes), name
        assert (found == found[:, :1]).all(), name
        index = np.searchsorted(chosen, found[:, 0])
        assert (votes[index, np.arange(frames)] > 0).all(), name
        got = np.bincount(index, minlength=len(chosen)) * per
        assert (np.abs(got - votes.sum(axis=1)) <= per).all(), name
        assert r.ok == (r.overruled == 0), name
        assert r.overruled == np.count_nonzero(wanted != found), name
        if name in ("interleave by huge pages", "blocks", "by rows"):
            assert r.overruled == 0, name
