"""Members in huge pages are interleaved as a whole; get_mempolicy(2) counts each one's pages."""

import platform
from itertools import pairwise

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

MIB = 1 << 20
PAGE = memory.PAGE
# From Linux 6.7 on, the page tables show which pages are huge.
TOLD = tuple(map(int, platform.release().split(".")[:2])) >= (6, 7)
# A node may miss this fraction of its share.
NEARLY = 1 / 8

pytestmark = [
    pytest.mark.skipif(not TOLD, reason="before Linux 6.7 the page tables do not show huge pages"),
    pytest.mark.filterwarnings("ignore::movepages.LayoutWarning"),
]


@pytest.fixture
def chosen(two_nodes, huge_page_size):
    return nodes.allowed()[:4]


def cut(whole, sizes, ahead=0):
    """Return neighbouring members of these sizes in bytes."""
    ends = np.cumsum([ahead, *sizes])
    return {f"m{k}": whole[first:end] for k, (first, end) in enumerate(pairwise(ends))}


def check(arrays, layout, shares, **how):
    """Move, and hold what is told against the witness; return the result."""
    before = {name: array[:: 3 * PAGE].copy() for name, array in arrays.items()}
    plan = mp.plan(arrays, layout)
    result = mp.move(arrays, layout, **how)
    pages = mp.where(arrays).total.addresses
    # One look for all that follows: khugepaged may join small pages at any time.
    now = witness.nodes_at_once(pages)
    assert np.array_equal(result.status, now), str(result)
    if not how:
        assert (plan.overruled, plan.torn) == (result.overruled, result.torn)
        on = {node: int((now == node).sum()) * PAGE for node in set(now.tolist())}
        assert plan.expected == on
    assert result.moved + result.already_there + result.failed == result.pages
    assert result.ok == (result.overruled == result.torn == result.failed == 0)
    if result.ok and not how:
        assert np.array_equal(now, mp.targets(arrays, layout))
    for name, array in arrays.items():
        member = result.by_member[name]
        own = now[np.searchsorted(pages, mp.where(array).addresses)]
        found = np.array([np.count_nonzero(own == node) for node in shares])
        assert member.moved + member.already_there + member.failed == member.pages == len(own)
        if member.overruled == 0:
            least = np.array([share * len(own) for share in shares.values()])
            slack = np.maximum(NEARLY * min(least), 1)
            assert (found >= least - slack).all(), (name, found, least)
        assert np.array_equal(array[:: 3 * PAGE], before[name])
    return result


def even(chosen):
    return {node: 1 / len(chosen) for node in chosen}


def test_whole_huge_pages(chosen):
    size = 2 * MIB * len(chosen)
    whole = memory.anonymous(4 * size, chosen[0], huge=True)
    arrays = cut(whole, [size] * 4)
    result = check(arrays, mp.interleave(chosen), even(chosen))
    assert result.ok, str(result)
    assert witness.huge_bytes(whole) == 4 * size


@pytest.mark.parametrize("ahead", [16, 100 * PAGE, MIB, 2 * MIB - PAGE])
def test_neighbours_in_one_huge_page(chosen, ahead):
    size = 2 * MIB * len(chosen)
    whole = memory.anonymous(5 * size, chosen[0], huge=True)
    arrays = cut(whole, [size] * 4, ahead // PAGE * PAGE)
    result = check(arrays, mp.interleave(chosen), even(chosen))
    assert result.ok, str(result)


def test_weights(chosen):
    first, second = chosen[:2]
    arrays = cut(memory.anonymous(16 * MIB, first, huge=True), [8 * MIB] * 2)
    result = check(
        arrays, mp.weighted({first: 3, second: 1}, block=None), {first: 3 / 4, second: 1 / 4}
    )
    assert result.ok, str(result)


def test_members_too_small_for_their_shares_are_overruled(chosen):
    size = 2 * MIB * len(chosen)
    whole = memory.anonymous(2 * size + 4 * MIB, chosen[0], huge=True)
    arrays = cut(whole, [size, size + 2 * MIB, 2 * MIB])
    result = check(arrays, mp.interleave(chosen), even(chosen))
    assert not result.ok
    assert [each.ok for each in result.by_member.values()] == [True, False, False]
    assert result.overruled == sum(each.overruled for each in result.by_member.values()) > 0
    again = check(arrays, mp.interleave(chosen), even(chosen), on_conflict="split")
    assert again.ok, str(again)
    found = witness.nodes_at_once(mp.where(arrays["m2"]).addresses)
    assert [*np.bincount(found)[list(chosen)]] == [512 // len(chosen)] * len(chosen) or len(
        chosen
    ) == 3


def test_members_in_sequence(chosen):
    arrays = {f"m{k}": memory.anonymous(2 * MIB, chosen[0], huge=True) for k in range(len(chosen))}
    result = mp.move(arrays, mp.together(mp.interleave(chosen)))
    assert result.ok, str(result)
    found = [set(witness.nodes_at_once(memory.pages_of(each)).tolist()) for each in arrays.values()]
    assert sorted(map(sorted, found)) == [[node] for node in chosen]
    one_less = dict(list(arrays.items())[:-1])
    if len(chosen) > 2:
        assert not mp.move(one_less, mp.together(mp.interleave(chosen))).ok


def test_in_slices_of_a_limited_move(chosen):
    size = 2 * MIB * len(chosen)
    arrays = cut(memory.anonymous(4 * size, chosen[0], huge=True), [size] * 3, MIB)
    result = check(arrays, mp.interleave(chosen), even(chosen), limit="32MiB/s")
    assert result.ok, str(result)


def test_raise_agrees_with_the_plan(chosen):
    size = 2 * MIB * len(chosen)
    whole = memory.anonymous(size + 2 * MIB, chosen[0], huge=True)
    arrays = cut(whole, [size])
    assert check(arrays, mp.interleave(chosen), even(chosen), on_conflict="raise").ok
    with pytest.raises(ValueError, match="cuts through"):
        mp.move({"m": whole}, mp.interleave(chosen), on_conflict="raise")


def test_numpy_arrays_as_the_kernel_lays_them(chosen):
    """Each has a mapping of its own, which joins the one before it."""
    arrays = {f"m{k}": np.ones(2 * MIB * len(chosen), np.uint8) for k in range(6)}
    check(arrays, mp.interleave(chosen), even(chosen))
    check(arrays, mp.weighted({chosen[0]: 3, chosen[1]: 1}), {chosen[0]: 0.75, chosen[1]: 0.25})
    check(arrays, mp.interleave(chosen), even(chosen), on_conflict="split")
