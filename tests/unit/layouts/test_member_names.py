"""Targets of several members: which member gets which, and errors that name it."""

import numpy as np
import pytest

import movepages as mp

# The same on every kernel.
pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]


def wanted(target, arrays: dict) -> dict[str, int]:
    """Return the node wanted for each member, all of which have pages of their own."""
    found = mp.where(arrays)
    total = dict(zip(found.total.addresses.tolist(), mp.targets(arrays, target), strict=True))
    return {name: int(total[each.addresses.tolist()[0]]) for name, each in found.items()}


def some(*names: str) -> dict[str, np.ndarray]:
    return {name: mp.empty(1 << 10) for name in names}


def test_all_others_have_the_target_of_the_ellipsis() -> None:
    arrays = some("weights", "bias", "layers.0.w", "layers.1.w")
    found = wanted({"weights": 0, ...: 3, "layers.1": mp.interleave([2])}, arrays)
    assert found == {"weights": 0, "bias": 3, "layers.0.w": 3, "layers.1.w": 2}
    assert set(wanted({...: 1}, arrays).values()) == {1}
    assert wanted({"weights": 0, ...: 3}, some("weights")) == {"weights": 0}


def test_all_others_together() -> None:
    arrays = some("a", "b", "c")
    found = wanted({"a": 0, ...: mp.together(mp.blocks([1, 2]))}, arrays)
    assert found == {"a": 0, "b": 1, "c": 2}


def test_a_member_without_a_target_is_told_of_the_ellipsis() -> None:
    with pytest.raises(ValueError, match=r"no target for the member 'b'.* with the key \.\.\.;"):
        mp.move(some("a", "b"), {"a": 0})
    with pytest.raises(ValueError, match=r"no member is named 'c'"):
        mp.move(some("a", "b"), {"c": 0, ...: 1})


def test_a_key_and_a_name_that_collide_are_refused() -> None:
    arrays = {"[0]": mp.empty(9), 0: mp.empty(9)}
    assert list(mp.where(arrays)) == ["['[0]']", "[0]"]
    with pytest.raises(ValueError, match=r"'\[0\]' can mean two members: '\[0\]', and \"\['\[0\]"):
        mp.move(arrays, {"[0]": 0, ...: 1})
    assert wanted({0: 1, "['[0]']": 2}, arrays) == {"[0]": 1, "['[0]']": 2}
    assert mp.move(arrays, mp.where(arrays)).ok
    assert wanted({"[0]": 1}, {0: mp.empty(9)}) == {"[0]": 1}
    with pytest.raises(ValueError, match=r"the keys '\[0\]' and 0 both name the member '\[0\]'"):
        mp.move([mp.empty(9)], {"[0]": 0, 0: 1})


def test_a_name_of_several_members_is_refused() -> None:
    arrays = {"a.b": mp.empty(9), "a": {"b": mp.empty(9), "c": mp.empty(9)}}
    with pytest.raises(ValueError, match=r"'a.b' can mean several members, 'a.b' and 'a.b#2'"):
        mp.move(arrays, {"a.b": 0, "a": 1})
    assert wanted({"a.b": 1, "a.b#2": 2, ...: 3}, arrays) == {"a.b": 1, "a.b#2": 2, "a.c": 3}
    assert wanted({"a": 1}, arrays) == {"a.b": 1, "a.b#2": 1, "a.c": 1}


def test_a_wrong_target_names_its_member() -> None:
    arrays = {"flat": np.ones(3), "deep": {"matrix": np.ones((3, 4))}}
    with pytest.raises(ValueError, match=r"^flat: by_axis: axis 1 is out of bounds"):
        mp.move(arrays, mp.by_axis(1, [NODE]))
    with pytest.raises(TypeError, match=r"^deep\.matrix: target: expected"):
        mp.move(arrays, {"flat": NODE, "deep": "0.5"})
    with pytest.raises(ValueError, match=r"^flat: target: expected one node for all pages, or one"):
        mp.move(arrays, {"flat": [NODE] * 9, "deep": NODE})
    with pytest.raises(ValueError, match=r"^flat: target: the placement has"):
        mp.move(arrays, {"flat": mp.where(np.ones(10_000)), "deep": NODE})


def test_by_axis_says_what_it_was_given() -> None:
    layout = mp.by_axis(0, [NODE, NODE])
    with pytest.raises(TypeError, match=r"got a dict of 2 members; without together\(\)"):
        mp.move(some("a", "b"), mp.together(layout))
    with pytest.raises(TypeError, match=r"^objects: by_axis: .* got objects all over the heap"):
        mp.move(np.array(["a text", 1234.5], object), layout)
    with pytest.raises(TypeError, match=r"^\[0\]: by_axis: .* got a memoryview; if np\.asarray"):
        mp.move([memoryview(b"abc")], layout)


def test_a_part_goes_back_to_where_it_was(tmp_path) -> None:
    layers = [{"w": np.ones(1 << 12), "b": np.ones(9)} for _ in range(3)]
    model = {"layers": layers, "x": np.ones(9)}
    before = mp.where(model)
    part = before.below("layers[1]")
    part.save(tmp_path / "part.npz")
    for target in (part, mp.Placements.load(tmp_path / "part.npz"), mp.where(model["layers"][1])):
        assert mp.move(model["layers"][1], target).ok
    assert mp.move(model["layers"], before.below("layers")).ok
    assert mp.move({"layers": model["layers"]}, before.below("layers")).ok
    nodes = mp.targets(model["layers"][1], before.below("layers[1]"))
    assert nodes.tolist() == part.total.status.tolist()
    with pytest.raises(ValueError, match=r"no target for the member 'w'.*'layers\[0\]\.w'"):
        mp.move(model["layers"][1], before.below("layers"))


def test_an_empty_container_has_no_sequence() -> None:
    assert mp.move([], mp.together(mp.blocks([NODE, NODE]))).ok


@pytest.mark.parametrize("target", [None, "interleave", {"z": 0}])
def test_what_is_no_target_is_told_with_what_is(target):
    arrays = {"x": {"z": np.ones(10)}, "y": np.ones(10)}
    with pytest.raises(TypeError, match=r"x\.z: target: expected a node such as 0.*got a \w+"):
        mp.targets(arrays, {"x": target, "y": 0})


def test_a_list_of_nodes_is_told_the_layouts_that_divide():
    with pytest.raises(ValueError, match=r"to divide them between nodes, pass a layout such as"):
        mp.targets([np.ones(1 << 20), np.ones(10)], [0, 1])


def test_an_empty_mapping_of_targets():
    with pytest.raises(ValueError, match=r"no target for the member 'x'.* the mapping has none"):
        mp.targets({"x": np.ones(10)}, {})
