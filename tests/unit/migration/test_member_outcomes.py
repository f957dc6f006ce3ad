"""The outcome of each member agrees with that of the whole, whatever became of its pages."""

import gc
import pickle
import weakref

import numpy as np
import pytest

import movepages as mp
from movepages.inputs.memory_of import memory_of
from movepages.layouts.member_pattern import MemberPattern
from movepages.pages.buffers import footprint_of
from movepages.results.member_results import encode
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


def untouched(pages: int) -> np.ndarray:
    return mp.empty(pages * PAGE, np.uint8)


def touched(pages: int) -> np.ndarray:
    found = untouched(pages)
    mp.touch(found)
    return found


def test_no_code_stands_for_two_outcomes() -> None:
    status = np.array([np.iinfo(np.int32).min, -2, 0, 3], np.int32)
    codes = encode(status, there=np.array([False, False, True, False]))
    assert len(set(codes.tolist())) == 4
    assert (codes[:2] < 0).all()


def test_a_cancelled_move_moved_no_member() -> None:
    arrays = [touched(2000), touched(2000)]
    with pytest.raises(mp.MovePagesCancelledError) as caught:
        mp.move(arrays, mp.interleave([NODE, NODE], block=PAGE), progress=lambda *_: False)
    result = caught.value.result
    members = result.by_member.values()
    assert sum(each.not_attempted for each in members) >= result.not_attempted
    assert sum(each.moved for each in members) == result.moved


def test_memory_that_came_since_the_placement_is_untargeted() -> None:
    arrays = [untouched(10), untouched(10)]
    before = mp.where(arrays)
    mp.touch(arrays)
    result = mp.move(arrays, before)
    assert result.untargeted == 20
    assert [each.untargeted for each in result.by_member.values()] == [10, 10]


@pytest.mark.parametrize("first", [True, False])
def test_an_absent_page_that_one_member_wants_has_failed(first) -> None:
    page = untouched(1)
    arrays = {"a": page[:2000], "b": page[2000:]}
    placement = mp.where(arrays["a"])
    targets = {"a": placement, "b": NODE} if first else {"a": NODE, "b": mp.where(arrays["b"])}
    result = mp.move(arrays, targets)
    assert not result.ok
    assert result.failed == 1
    assert all(each.failed == 1 for each in result.by_member.values())


def test_members_with_gaps_between_each_other() -> None:
    rows = untouched(11).reshape(11, PAGE)
    arrays = [rows[::10], rows[1:10]]
    result = mp.move(arrays, mp.where(arrays))
    assert result.ok, str(result)
    assert all(each.ok for each in result.by_member.values())


def test_members_tell_why_pages_are_absent() -> None:
    arrays = {"here": touched(3), "not yet": untouched(5)}
    result = mp.move(arrays, NODE)
    assert result.by_member["not yet"].absent_reasons == {mp.Absence.UNTOUCHED: 5}
    assert result.by_member["here"].absent_reasons == {}


def test_results_of_any_layout_can_be_sent() -> None:
    class Here:
        def over(self, array, footprint):
            return mp.blocks([NODE]).over(array, footprint)

    arrays = {"a": touched(3), "b": touched(4)}
    result = mp.move(arrays, Here())
    found = pickle.loads(pickle.dumps(result))
    assert found == result
    assert found.by_member["b"] == result.by_member["b"]


def test_a_background_move_keeps_what_a_container_drops() -> None:
    class Array(np.ndarray):
        pass

    arrays = [touched(2000).view(Array), touched(2000).view(Array)]
    ends = [weakref.ref(each) for each in arrays]
    job = mp.move(arrays, NODE, background=True, limit="8MiB/s", progress=lambda *_: True)
    arrays.clear()
    gc.collect()
    # In this order: the move may end between the two looks.
    kept = all(end() is not None for end in ends)
    assert kept or job.done()
    assert job.result().ok


def test_together_of_a_part() -> None:
    arrays = {"part": [untouched(4), untouched(4)], "rest": untouched(4)}
    found = mp.where(arrays)
    wanted = mp.targets(arrays, {"part": mp.together(mp.blocks([0, 1])), "rest": 2})
    order = sorted(found, key=lambda name: found[name].address)
    nodes = {"part[0]": 0, "part[1]": 1, "rest": 2}
    assert wanted.tolist() == [nodes[name] for name in order for _ in range(4)]


def test_keys_of_lists_are_names_too() -> None:
    arrays = [untouched(1), untouched(1)]
    order = np.argsort([each.ctypes.data for each in arrays])
    assert mp.targets(arrays, {0: 0, 1: 1}).tolist() == order.tolist()


def test_turns_of_single_pages_do_not_count_as_borders() -> None:
    array = untouched(512)
    alone = mp.interleave([0, 1]).over(array, footprint_of(array))
    assert alone.adapts
    assert alone.shares is not None
    members, _ = memory_of([array])
    assert not MemberPattern([alone], members.footprints).adapts
