"""Objects with several arrays move: get_mempolicy(2) finds each page where it is wanted."""

import numpy as np
import pytest

import movepages as mp
from support import memory, nodes, witness

PAGE = memory.PAGE


def members(node: int) -> dict[str, np.ndarray]:
    """Return arrays of many sizes; some share pages, and one holds columns of another."""
    heap = memory.anonymous(64 * PAGE, node)
    table = memory.anonymous(4 << 20, node).reshape(1024, -1)
    return {
        "large": memory.anonymous(9 << 20, node),
        "first": heap[: 10 * PAGE + 100],
        "second": heap[10 * PAGE + 100 : 30 * PAGE],
        "rest": heap[30 * PAGE :],
        "table": table,
        "columns": table[:, ::1024],
    }


def now(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return witness.nodes_of(mp.where(arrays).total.addresses)


def check_members(arrays, result) -> None:
    """Check each member's outcome against the witness, and the sum against the whole."""
    for name, array in arrays.items():
        member = result.by_member[name]
        addresses = mp.where(array).addresses
        assert member.pages == len(addresses)
        placed = member.status >= 0
        assert np.array_equal(member.status[placed], witness.nodes_of(addresses)[placed]), name


def test_all_members_to_one_node_and_back(two_nodes):
    first, second = nodes.allowed()[:2]
    arrays = members(first)
    before = mp.where(arrays)
    result = mp.move(arrays, second)
    assert result.ok, str(result)
    assert (now(arrays) == second).all()
    assert result.moved == before.pages
    assert all(each.moved == each.pages for each in result.by_member.values())
    check_members(arrays, result)
    back = mp.move(arrays, before)
    assert back.ok, str(back)
    assert (now(arrays) == first).all()
    assert mp.where(arrays).total == before.total


def test_a_target_for_each_member(two_nodes):
    first, second = nodes.allowed()[:2]
    arrays = [mp.full(5 << 20, 3, np.uint8, node=first) for _ in range(4)]
    chosen = {f"[{k}]": (first, second)[k % 2] for k in range(4)}
    plan = mp.plan(arrays, chosen)
    result = mp.move(arrays, chosen, on_conflict="split")
    wanted = mp.targets(arrays, chosen)
    found = now(dict(enumerate(arrays)))
    placed = np.count_nonzero(found == wanted)
    assert placed == len(wanted) - result.overruled
    assert result.ok == (placed == len(wanted))
    assert plan.to_move + plan.in_place == len(wanted) * PAGE
    for name, node in chosen.items():
        member = result.by_member[name]
        array = arrays[int(name[1])]
        on_node = witness.nodes_of(mp.where(array).addresses) == node
        assert np.count_nonzero(on_node) == member.pages - member.overruled
        assert (array == 3).all()


@pytest.mark.filterwarnings("ignore::movepages.LayoutWarning")
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("name", ["interleave", "blocks"])
def test_layouts_of_members(two_nodes, together, name):
    chosen = nodes.allowed()[:2]
    arrays = members(chosen[0])
    layout = getattr(mp, name)(chosen)
    layout = mp.together(layout) if together else layout
    wanted = mp.targets(arrays, layout)
    assert set(wanted.tolist()) == set(chosen)
    plan = mp.plan(arrays, layout)
    result = mp.move(arrays, layout)
    found = now(arrays)
    assert np.count_nonzero(found != wanted) == result.overruled == plan.overruled
    assert result.torn == plan.torn
    assert result.ok == (result.overruled == 0 and result.torn == 0)
    check_members(arrays, result)
    shares = np.bincount(found, minlength=max(chosen) + 1)[list(chosen)]
    if together:
        # Within one huge page of the half.
        assert abs(int(shares[0]) - int(shares[1])) <= 2 * 512 + len(arrays)


def test_a_shared_page_goes_where_most_of_it_is_wanted_and_counts_as_torn(two_nodes):
    first, second = nodes.allowed()[:2]
    page = memory.anonymous(PAGE, first)
    arrays = {"a": page[:1000], "b": page[1000:]}
    with pytest.warns(mp.LayoutWarning, match=r"not wholly.*neighbouring arrays share"):
        result = mp.move(arrays, {"a": first, "b": second})
    assert (result.torn, result.moved, result.ok) == (1, 1, False)
    assert witness.nodes_of(memory.pages_of(page)).tolist() == [second]
    assert all(each.torn == 1 for each in result.by_member.values())


def test_members_of_which_some_are_absent(two_nodes):
    first, second = nodes.allowed()[:2]
    # In small pages: a huge page that covers memory beside it, too, would make it present.
    arrays = {"here": memory.anonymous(1 << 20, first), "not yet": memory.anonymous(1 << 20)}
    before = mp.where(arrays)
    result = mp.move(arrays, second)
    assert result.by_member["here"].ok
    absent = result.by_member["not yet"]
    # Linux 6.1 says EFAULT of memory that was never touched.
    assert absent.failed == (1 << 20) // memory.PAGE
    assert set(absent.failures) <= {mp.PageStatus.ENOENT, mp.PageStatus.EFAULT}
    # Pages that were absent then and are absent now are as wanted.
    back = mp.move(arrays, before)
    assert back.ok
    assert back.by_member["not yet"].ok
    assert (witness.nodes_of(memory.pages_of(arrays["here"])) == first).all()


def test_many_small_arrays(two_nodes):
    first, second = nodes.allowed()[:2]
    arrays = [np.ones(100) for _ in range(5000)]
    mp.move(arrays, first)
    result = mp.move(arrays, second)
    assert result.ok
    assert (witness.nodes_of(mp.where(arrays).total.addresses) == second).all()
    assert all((each == 1).all() for each in arrays)
