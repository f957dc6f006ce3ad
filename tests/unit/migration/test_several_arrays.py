"""move(), plan() and targets() of objects with several arrays."""

import numpy as np
import pytest

import movepages as mp
from movepages.migration import executor

NODE = mp.topology().allowed_nodes[0]


def some() -> dict[str, np.ndarray]:
    return {
        "large": np.ones(1 << 17),
        "small": np.ones(10),
        "columns": np.ones((512, 2048))[:, ::7],
        "untouched": mp.empty(1 << 16),
    }


def test_a_move_has_the_sum_and_each_member() -> None:
    arrays = some()
    result = mp.move(arrays, NODE)
    placed = mp.where(arrays)
    assert result.pages == placed.pages
    assert result.moved + result.already_there == sum(placed.pages_per_node.values())
    assert list(result.by_member) == list(arrays)
    for name, array in arrays.items():
        alone = mp.move(array, NODE)
        member = result.by_member[name]
        assert member.pages == alone.pages
        assert member.moved + member.already_there == alone.already_there
        assert member.failures == alone.failures
        assert (member.status == alone.status).all()
        assert member.ok == alone.ok


def test_the_results_of_members_are_printed() -> None:
    arrays = [np.ones(8) for _ in range(23)]
    # The second move must find the same as the first.
    mp.move(arrays, NODE)
    found = mp.move(arrays, NODE).by_member
    lines = str(found).splitlines()
    assert repr(found) == "<MemberResults of 23 members>"
    assert lines[0] == f"[0]: {found['[0]']}"
    assert lines[20:] == ["and 3 others"]
    assert str(mp.move(arrays[:1], NODE).by_member) == lines[0]


def test_one_array_has_no_members() -> None:
    assert mp.move(np.ones(1 << 17), NODE).by_member == {}


def test_a_layout_acts_on_each_member_by_itself() -> None:
    arrays = [mp.empty(1 << 14) for _ in range(3)]
    found = mp.targets(arrays, mp.blocks([0, 1]))
    order = np.argsort([each.ctypes.data for each in arrays])
    alone = [mp.targets(arrays[index], mp.blocks([0, 1])) for index in order]
    assert found.tolist() == np.concatenate(alone).tolist()


def test_together_makes_one_sequence_in_the_order_of_the_members() -> None:
    arrays = [mp.empty(1 << 14) for _ in range(4)]
    found = mp.targets(arrays, mp.together(mp.blocks([0, 1])))
    by_address = sorted(range(4), key=lambda index: arrays[index].ctypes.data)
    pages = mp.where(arrays[0]).pages
    assert found.tolist() == [index // 2 for index in by_address for _ in range(pages)]


def test_together_of_one_array_is_the_layout() -> None:
    a = mp.empty(1 << 14)
    layout = mp.blocks([0, 1])
    assert (mp.targets(a, mp.together(layout)) == mp.targets(a, layout)).all()


def test_targets_by_name() -> None:
    model = {"encoder": [mp.empty(1 << 10), mp.empty(1 << 10)], "head": mp.empty(1 << 10)}
    found = mp.plan(model, {"encoder": 0, "encoder[1]": 1, "head": mp.interleave([2])})
    assert found.untargeted == 0
    names = {"encoder[0]": 0, "encoder[1]": 1, "head": 2}
    each = mp.targets(model, {"encoder": 0, "encoder[1]": 1, "head": 2})
    order = sorted(names, key=lambda name: mp.where(model)[name].address)
    pages = mp.where(model)["head"].pages
    assert each.tolist() == [names[name] for name in order for _ in range(pages)]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"a": 0}, "no target for the member 'b'"),
        ({"a": 0, "b": 0, "c": 0}, "no member is named 'c'"),
        ({}, "no target for the member 'a'"),
    ],
)
def test_names_that_do_not_match(target, message) -> None:
    with pytest.raises(ValueError, match=message):
        mp.move({"a": np.ones(3), "b": np.ones(3)}, target)


def test_a_mapping_is_no_target_of_one_array() -> None:
    with pytest.raises(TypeError, match="is one array"):
        mp.move(np.ones(3), {"a": 0})


def test_by_axis_of_members_with_axes() -> None:
    found = mp.targets([mp.empty((64, 4096))], mp.by_axis(0, [0, 1]))
    assert found.tolist() == mp.targets(mp.empty((64, 4096)), mp.by_axis(0, [0, 1])).tolist()
    with pytest.raises(TypeError, match="by_axis"):
        mp.targets([mp.empty((64, 4096))], mp.together(mp.by_axis(0, [0, 1])))


def test_a_page_that_members_want_on_several_nodes_is_torn() -> None:
    page = mp.empty(4096, np.uint8)
    page[:] = 1
    plan = mp.plan({"a": page[:1000], "b": page[1000:]}, {"a": NODE, "b": NODE + 1})
    assert plan.torn == 1
    # Most of the page belongs to b.
    assert mp.targets({"a": page[:1000], "b": page[1000:]}, {"a": 0, "b": 1}).tolist() == [1]
    assert mp.plan({"a": page[:1000], "b": page[1000:]}, {"a": NODE, "b": NODE}).torn == 0


def test_torn_edges_are_told_as_such(monkeypatch) -> None:
    monkeypatch.setattr(executor, "refuse_unusable_nodes", lambda *_: None)
    page = mp.full(4096, 1, np.uint8, node=NODE)
    arrays = {"a": page[:3000], "b": page[3000:]}
    target = {"a": NODE, "b": NODE + 1}
    edges = "neighbouring arrays share the pages at their edges"
    with pytest.warns(mp.LayoutWarning, match=f"1 of 1 pages .* not wholly .*: {edges}") as caught:
        result = mp.move(arrays, target)
    assert result.torn == 1
    assert "another axis" not in str(caught[0].message)
    for each in (result, *result.by_member.values()):
        with pytest.raises(mp.MovePagesError, match=f"1 torn: {edges}"):
            each.raise_for_status()
    assert any(f"torn: {edges}" in line for line in mp.plan(arrays, target).remarks)


def test_torn_pages_of_members_with_axes() -> None:
    matrix = mp.full((64, 64), 1.0, node=NODE)
    layout = mp.by_axis(1, [NODE, NODE + 1])
    told = mp.plan({"a": matrix}, layout).remarks
    assert any("share the pages at their edges" in line and "another axis" in line for line in told)
    told = mp.plan(matrix, layout).remarks
    assert any("torn: the layout cuts through single pages" in line for line in told)


def test_placements_are_a_target() -> None:
    arrays = some()
    before = mp.where(arrays)
    result = mp.move(arrays, before)
    assert result.ok
    assert result.already_there == before.pages
    assert all(each.ok for each in result.by_member.values())
    assert mp.move(arrays, before.total).ok


def test_placements_of_other_members_are_refused() -> None:
    with pytest.raises(ValueError, match="no target for the member"):
        mp.move({"a": np.ones(3)}, mp.where({"b": np.ones(3)}))
    with pytest.raises(ValueError, match="must match"):
        mp.move({"a": mp.empty(1 << 16)}, mp.where({"a": np.ones(3)}))


def test_a_node_for_each_page() -> None:
    arrays = [np.ones(1 << 12), np.ones(1 << 13)]
    pages = mp.where(arrays).pages
    result = mp.move(arrays, np.full(pages, NODE))
    assert result.ok
    assert sum(each.pages for each in result.by_member.values()) >= pages


def test_many_small_arrays_move_in_one_go() -> None:
    arrays = [np.ones(100) for _ in range(10_000)]
    result = mp.move(arrays, NODE)
    assert result.pages == mp.where(arrays).pages
    assert result.ok
    assert result.by_member["[9999]"].pages == mp.where(arrays[-1]).pages


def test_bind_and_touch_take_members() -> None:
    arrays = [mp.empty(1 << 14), mp.empty(1 << 14)]
    mp.bind(arrays, NODE)
    mp.touch(arrays)
    assert mp.where(arrays).bytes_per_node == {NODE: 2 * 8 * (1 << 14)}


def test_an_error_has_the_members_too() -> None:
    arrays = [np.ones(1 << 14), np.ones(1 << 14)]
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move(arrays, 1023)
    assert caught.value.result.not_attempted == mp.where(arrays).pages
    assert all(each.not_attempted == each.pages for each in caught.value.result.by_member.values())


def test_in_the_background() -> None:
    arrays = [np.ones(1 << 14), np.ones(1 << 14)]
    job = mp.move(arrays, NODE, background=True)
    assert len(job.result().by_member) == 2
