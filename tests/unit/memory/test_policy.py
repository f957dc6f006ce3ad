"""Policies compared with get_mempolicy(2) and numa_maps, and arrays with memory of their own."""

import errno
import gc
import mmap
import os
import weakref
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages import _core
from support import memory, processes, sandboxes, system
from support.kinds_kernel import settings

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1


def line_of(a):
    """Return the policy that numa_maps shows for the mapping that an array begins in."""
    found = ""
    with open("/proc/self/numa_maps", encoding="utf-8") as lines:
        for line in lines:
            start, how = line.split()[:2]
            if int(start, 16) <= a.ctypes.data:
                found = how
    return found


@pytest.mark.parametrize(
    ("mode", "nodes", "told"),
    [
        ("bind", NODE, f"bind:{NODE}"),
        ("bind", [NODE], f"bind:{NODE}"),
        ("preferred", NODE, f"prefer:{NODE}"),
        ("interleave", [NODE], f"interleave:{NODE}"),
        ("local", [], "local"),
        ("default", [], None),
    ],
)
def test_policy_agrees_with_the_kernel(mode, nodes, told):
    a = memory.anonymous(20 * PAGE)
    mp.bind(a, NODE, mode="interleave")
    mp.bind(a[4 * PAGE : 9 * PAGE], nodes, mode=mode)
    inner = a[4 * PAGE : 9 * PAGE]
    # For memory without a policy of its own, numa_maps shows that of the thread.
    assert line_of(inner) == (told or line_of(memory.anonymous(PAGE)))
    found = mp.policy(inner)
    assert [(each.address, each.nbytes) for each in found] == [(inner.ctypes.data, 5 * PAGE)]
    assert found[0].mode.name.lower() == mode
    assert found[0].nodes == ((NODE,) if nodes != [] else ())


def test_parts_of_an_array_with_policies_of_their_own():
    a = memory.anonymous(12 * PAGE)
    mp.bind(a[3 * PAGE : 5 * PAGE], NODE)
    mp.bind(a[5 * PAGE : 6 * PAGE], NODE)
    found = mp.policy(a[PAGE:])
    assert [each.nbytes // PAGE for each in found] == [2, 3, 6]
    assert [each.mode for each in found] == [
        mp.PolicyMode.DEFAULT, mp.PolicyMode.BIND, mp.PolicyMode.DEFAULT,
    ]  # fmt: skip
    rows = a.reshape(3, 4 * PAGE)[:, :PAGE]
    mp.bind(rows, NODE, mode="preferred")
    assert [each.mode.name for each in mp.policy(rows)] == 3 * ["PREFERRED"]


@pytest.mark.parametrize(
    ("nodes", "mode", "error", "said"),
    [
        (NODE, "nearby", ValueError, "mode: expected one of 'default'"),
        ([], "bind", ValueError, "takes one node or more"),
        (NODE, "local", ValueError, "takes no nodes"),
        ([NODE, NODE + 1], "preferred", ValueError, "use mode='preferred-many'"),
        (NOT_A_NODE, "bind", mp.MovePagesError, "is not a node of this machine"),
        (-1, "bind", mp.MovePagesError, "node -1"),
        # numpy 1 takes this for NODE in 32 bits.
        ((1 << 32) + NODE, "bind", mp.MovePagesError, "is not a node of this machine"),
        (-(1 << 40), "preferred", mp.MovePagesError, "node -1099511627776"),
        (0.5, "bind", TypeError, "nodes: expected"),
    ],
)
def test_invalid_policies(nodes, mode, error, said):
    a = memory.anonymous(PAGE)
    with pytest.raises(error, match=said):
        mp.bind(a, nodes, mode=mode)
    assert mp.policy(a)[0].mode == mp.PolicyMode.DEFAULT


def refused_policies(sandbox):
    a = mp.empty(PAGE, np.uint8)
    sandboxes.enter(sandbox)
    for call in (lambda: mp.policy(a), lambda: mp.bind(a, NODE), mp.first_touch(NODE).__enter__):
        with pytest.raises(mp.MovePagesError) as caught:
            call()
        yield str(caught.value)


@pytest.mark.parametrize(
    ("sandbox", "said"), [("docker", "--cap-add SYS_NICE"), ("gvisor", "a sandbox hides the call")]
)
def test_refused_policies_say_what_to_allow(sandbox, said):
    told = processes.run_as(None, lambda: list(refused_policies(sandbox)))
    assert len(told) == 3
    assert all(said in each for each in told)


def test_memory_that_is_not_mapped_or_not_ours():
    with pytest.raises(mp.MovePagesError, match="not mapped"):
        mp.bind(mp.Region(PAGE, PAGE), NODE)
    with pytest.raises(mp.MovePagesError):
        mp.policy(mp.Region(PAGE, PAGE))
    with pytest.raises(ValueError, match="memory of this process"):
        mp.bind(mp.Region(0, PAGE, pid=os.getppid()), NODE)
    with pytest.raises(MemoryError, match="not mapped"):
        mp.touch(mp.Region(PAGE, PAGE))
    end = mp.Region(2**64 - 2 * PAGE, 2 * PAGE)
    for call in (lambda: mp.bind(end, NODE), lambda: mp.policy(end), lambda: mp.touch(end)):
        with pytest.raises(ValueError, match=r"memory of this process, got .* up to 2\*\*64"):
            call()


def test_touched_pages_are_present_and_unchanged():
    a = memory.anonymous(40 * PAGE)
    a[5 * PAGE : 7 * PAGE] = 9
    mp.touch(a[3 : -3 * PAGE])
    p = mp.where(a)
    assert np.flatnonzero(p.status < 0).tolist() == [37, 38, 39]
    assert a.sum() == 9 * 2 * PAGE
    mp.touch(a[:0])


def test_memory_for_reading_only_cannot_be_touched(tmp_path):
    file = tmp_path / "data"
    file.write_bytes(bytes(PAGE))
    a = np.memmap(file, np.uint8, mode="r")
    with pytest.raises(mp.MovePagesError, match="may not be written to") as caught:
        mp.touch(a)
    assert caught.value.errno == errno.EINVAL


def test_shared_memory_has_its_policies_page_by_page():
    file = os.memfd_create("shared")
    os.ftruncate(file, 16 * PAGE)
    one, two = (np.frombuffer(mmap.mmap(file, 16 * PAGE), np.uint8) for _ in range(2))
    os.close(file)
    mp.bind(one[8 * PAGE :], NODE)
    for each in (one, two):
        found = mp.policy(each)
        assert [(part.nbytes // PAGE, part.mode.name) for part in found] == [
            (8, "DEFAULT"), (8, "BIND"),
        ]  # fmt: skip


def test_hugetlb_memory_is_bound_as_a_whole(need_root):
    with settings({Path("/proc/sys/vm/nr_overcommit_hugepages"): "4"}):
        a = mp.empty(1000, np.uint8, huge="hugetlb", node=NODE)
        assert mp.policy(a)[0].nodes == (NODE,)
        assert mp.where(a).bytes_per_node == {NODE: 1000}
        with pytest.raises(mp.MovePagesError, match="hugetlbfs"):
            mp.bind(a, NODE, mode="preferred")
        del a


def test_layout_without_a_target_for_some_pages():
    untouched = memory.anonymous(10 * PAGE)
    a = mp.empty(10 * PAGE, np.uint8, layout=mp.like(untouched))
    assert mp.where(a).absent_bytes == 0


@pytest.mark.parametrize("huge", [None, "thp"])
@pytest.mark.parametrize("shape", [(), 0, 7, (3, 5), (1000, 1001), [2, 3]])
def test_new_arrays(shape, huge):
    if huge and not memory.huge_page_size():
        pytest.skip("needs transparent huge pages")
    a = mp.zeros(shape, np.float32, node=NODE, huge=huge)
    assert a.shape == np.zeros(shape).shape
    assert (a.dtype, a.flags.writeable, a.flags.c_contiguous) == (np.float32, True, True)
    assert (a == 0).all()
    if a.nbytes:
        assert a.ctypes.data % PAGE == 0
        assert mp.where(a).shared_edges <= 1
        assert mp.policy(a)[0][2:] == (mp.PolicyMode.BIND, (NODE,))
        a[...] = 3
        assert mp.where(a).bytes_per_node == {NODE: a.nbytes}


def test_order_full_and_layout():
    assert mp.empty((3, 4), order="F").flags.f_contiguous
    assert (mp.full((2, 3), 2.5) == 2.5).all()
    assert mp.full(3, 7).dtype == np.asarray(7).dtype
    assert mp.full(2, "abc", str).tolist() == ["abc"] * 2
    assert mp.full(2, b"abc", "S").tolist() == [b"abc"] * 2
    a = mp.empty(100_000, layout=mp.blocks([NODE]))
    assert mp.where(a).bytes_per_node == {NODE: a.nbytes}
    assert (a == 0).all()


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ({"node": NODE, "layout": mp.blocks([NODE])}, ValueError, "got both"),
        ({"dtype": object}, TypeError, "without objects"),
        ({"shape": -1}, ValueError, "sizes of 0 or more"),
        ({"huge": "very"}, ValueError, "huge: expected"),
        ({"node": NOT_A_NODE}, mp.MovePagesError, "is not a node"),
        ({"shape": 1 << 50}, MemoryError, "no address range"),
        ({"shape": 1 << 62}, MemoryError, "no address range"),
        ({"shape": 1 << 58, "huge": "thp"}, MemoryError, "no address range"),
    ],
)
def test_invalid_arrays(how, error, said):
    with pytest.raises(error, match=said):
        mp.empty(**{"shape": 3} | how)


def test_error_names_the_empty_huge_page_pool():
    with pytest.raises(MemoryError, match="nr_hugepages"):
        mp.empty(1 << 37, np.uint8, huge="hugetlb")


def test_memory_is_freed_with_its_last_view():
    def bound_bytes():
        # Only bound mappings count: those of malloc and of the interpreter come and go.
        with open("/proc/self/numa_maps", encoding="utf-8") as lines:
            found = {start for start, how, *_ in map(str.split, lines) if how == f"bind:{NODE}"}
        with open("/proc/self/maps", encoding="utf-8") as lines:
            spans = [line.split()[0].split("-") for line in lines]
        return sum(int(end, 16) - int(start, 16) for start, end in spans if start in found)

    kept = [mp.empty(3 * PAGE, np.uint8, node=NODE) for _ in range(5)]
    before = bound_bytes()
    assert before >= len(kept) * 3 * PAGE
    for _ in range(2000):
        a = mp.empty(3 * PAGE, np.uint8, node=NODE)
        a[:] = 1
    view = a[5:9]
    gone = weakref.ref(a)
    del a
    gc.collect()
    assert gone() is not None
    assert view.tolist() == [1] * 4
    del view
    assert gone() is None
    assert bound_bytes() <= before


def test_core_rejects_a_node_beyond_the_mask():
    assert _core.bind(0, PAGE, 2, np.array([1024], np.int32), 0) == errno.EINVAL


def test_error_half_way_reports_what_is_bound():
    with memory.apart(9 * PAGE) as a:
        part = a[:: 2 * PAGE]
        system.succeed(system.libc.munmap(a.ctypes.data + 4 * PAGE, PAGE))
        with pytest.raises(
            mp.MovePagesError, match=f"; the {2 * PAGE:,} bytes before it are bound"
        ):
            mp.bind(part, NODE)
        assert [each.mode.name for each in mp.policy(part[:2])] == ["BIND", "BIND"]
        assert [each.mode.name for each in mp.policy(part[3:])] == ["DEFAULT"] * 2


def test_second_error_ends_bind(monkeypatch):
    calls = []

    def fails(*_args):
        calls.append(1)
        raise RuntimeError("always")

    monkeypatch.setattr("movepages.memory.policies._core.bind", fails)
    with pytest.raises(RuntimeError, match="always"):
        mp.bind(memory.anonymous(PAGE), NODE)
    assert len(calls) == 2
