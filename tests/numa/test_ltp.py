"""The Linux Test Project's assertions on move_pages(2), restated for `movepages.move_pages`.

Its tests are in testcases/kernel/syscalls/move_pages. Two are left out: 08, about an E2BIG that
kernels stopped returning in 2.6.29, and 12, a race with hugepage soft-offlining.
"""

import contextlib
import errno
import platform
import re

import numpy as np
import pytest

import movepages as mp
from support import memory, processes, witness
from support.nodes import listed

MPOL_MF_STRICT = 1
COUNT = 4


def kernel_version():
    return tuple(map(int, re.match(r"(\d+)\.(\d+)", platform.release()).groups()))


def assert_on(pages, expected, status):
    """Check that statuses are as expected, and that the witness agrees."""
    np.testing.assert_array_equal(status, expected)
    np.testing.assert_array_equal(witness.nodes_of(pages), expected)


@contextlib.contextmanager
def refused(number, builtin, pages):
    """Check that the block raises for this errno, and that no page moves."""
    before = witness.nodes_of(pages)
    with pytest.raises(mp.MovePagesError) as caught:
        yield
    np.testing.assert_array_equal(witness.nodes_of(pages), before)
    assert_says_nothing_moved(caught.value, number, builtin, len(pages))


def assert_says_nothing_moved(error, number, builtin, count):
    assert error.errno == number
    assert isinstance(error, builtin)
    assert (error.status == mp.PageStatus.NOT_ATTEMPTED).all()
    assert (error.result.pages, error.result.not_attempted) == (count, count)


@pytest.fixture
def own(nodes):
    """Return pages of this process alone, on the first node, and another node if there is one."""
    array = memory.anonymous(COUNT * memory.PAGE, nodes[0])
    return array, memory.pages_of(array), nodes[-1]


def test_query_names_the_node_of_each_page(nodes):
    """LTP 01."""
    arrays = [memory.anonymous(memory.PAGE, node) for node in nodes]
    pages = [array.ctypes.data for array in arrays]
    assert_on(pages, nodes, mp.move_pages(pages))


@pytest.mark.parametrize("same", [True, False], ids=["one node for all", "a node for each"])
def test_pages_move_and_can_be_written_to(two_nodes, same):
    """LTP 02."""
    source, target = two_nodes
    array = memory.anonymous(COUNT * memory.PAGE, source)
    pages, before = memory.pages_of(array), array.copy()
    status = mp.move_pages(pages, target if same else np.full(COUNT, target, np.int32))
    np.testing.assert_array_equal(array, before)
    array[:: memory.PAGE] = 0xAA
    assert_on(pages, [target] * COUNT, status)


def test_pages_move_to_a_node_without_a_cpu(nodes, memory_only_node):
    """LTP 02, with a target such as CXL memory."""
    array = memory.anonymous(COUNT * memory.PAGE, nodes[0])
    pages = memory.pages_of(array)
    assert_on(pages, [memory_only_node] * COUNT, mp.move_pages(pages, memory_only_node))


def test_move_all_moves_pages_shared_with_a_child(two_nodes, need_root):
    """LTP 03: MPOL_MF_MOVE_ALL moves pages that two processes map."""
    source, target = two_nodes
    array = memory.anonymous(COUNT * memory.PAGE, source, shared=True)
    pages = memory.pages_of(array)
    with processes.child(memory.touch, array) as child:
        before = array.copy()
        assert witness.pages_per_node(array, child.pid) == {source: COUNT}
        status = mp.move_pages(pages, target, flags=mp.MPOL_MF_MOVE_ALL)
        assert_on(pages, [target] * COUNT, status)
        # Migration maps a page again in each process that had it mapped.
        assert witness.pages_per_node(array, child.pid) == {target: COUNT}
        np.testing.assert_array_equal(child.call(witness.nodes_of, pages), [target] * COUNT)
        np.testing.assert_array_equal(array, before)


def test_page_never_touched_is_absent(own):
    """LTP 04: a page that is not allocated yet gets an error as its status; the others move."""
    array, pages, target = own
    memory.discard(array[memory.PAGE : 2 * memory.PAGE])
    status = mp.move_pages(pages, target)
    # Kernels from 4.3 to 6.11 mistook it for the zero page.
    codes = {errno.ENOENT} if kernel_version() >= (6, 12) else {errno.ENOENT, errno.EFAULT}
    assert -status[1] in codes
    np.testing.assert_array_equal(witness.present(pages), [True, False, True, True])
    there = [0, 2, 3]
    assert_on(pages[there], [target] * 3, status[there])


def test_page_read_but_never_written_is_the_zero_page(own):
    """LTP 04: EFAULT for the zero page, which belongs to no node; the others move."""
    array, pages, target = own
    memory.discard(array[memory.PAGE : 2 * memory.PAGE])
    assert array[memory.PAGE] == 0
    status = mp.move_pages(pages, target)
    np.testing.assert_array_equal(witness.present(pages), [True] * COUNT)
    assert status[1] == -errno.EFAULT
    there = [0, 2, 3]
    assert_on(pages[there], [target] * 3, status[there])


def test_unmapped_address(own):
    """LTP 04: EFAULT where nothing is mapped; the others move."""
    _, pages, target = own
    # Where the kernel would choose to map, the next mapping could take its place.
    with memory.apart(memory.PAGE) as gone:
        pages[1] = gone.ctypes.data
    status = mp.move_pages(pages, target)
    assert status[1] == -errno.EFAULT
    there = [0, 2, 3]
    assert_on(pages[there], [target] * 3, status[there])


def test_shared_page_is_refused_without_move_all(two_nodes):
    """LTP 05: EACCES for a page that another process maps too; private pages move."""
    source, target = two_nodes
    shared = memory.anonymous(COUNT * memory.PAGE, source, shared=True)
    private = memory.anonymous(COUNT * memory.PAGE, source)

    def touch_both():
        # The child's write copies the private pages, so the parent has its own to itself again.
        memory.touch(shared)
        memory.touch(private)

    pages = np.concatenate([memory.pages_of(shared), memory.pages_of(private)])
    with processes.child(touch_both) as child:
        status = mp.move_pages(pages, target)
        np.testing.assert_array_equal(status, [-errno.EACCES] * COUNT + [target] * COUNT)
        expected = [source] * COUNT + [target] * COUNT
        np.testing.assert_array_equal(witness.nodes_of(pages), expected)
        assert witness.pages_per_node(shared, child.pid) == {source: COUNT}
        assert witness.pages_per_node(private, child.pid) == {source: COUNT}


@pytest.mark.parametrize("where", ["first", "last", "all"])
@pytest.mark.parametrize("wrong", ["next", "last possible", "negative"])
def test_node_that_does_not_exist(own, wrong, where):
    """LTP 06: ENODEV, and no page moves, wherever in the list the node is."""
    _, pages, target = own
    bad = {"next": max(listed("online")) + 1, "last possible": 1023, "negative": -1}[wrong]
    nodes = np.full(COUNT, target, np.int32)
    nodes[{"first": 0, "last": -1, "all": slice(None)}[where]] = bad
    with refused(errno.ENODEV, ValueError, pages):
        mp.move_pages(pages, nodes)


def test_process_that_does_not_exist(own):
    """LTP 07: ESRCH for the pid of a process that was reaped."""
    _, pages, target = own
    with refused(errno.ESRCH, ProcessLookupError, pages):
        mp.move_pages(pages, target, pid=processes.dead_pid())


def test_pages_already_there_are_no_error(nodes):
    """LTP 09: success when no page has to move; kernels before 2.6.29 returned ENOENT."""
    arrays = [memory.anonymous(memory.PAGE, node) for node in nodes]
    pages = [array.ctypes.data for array in arrays]
    assert_on(pages, nodes, mp.move_pages(pages, nodes))


@pytest.mark.parametrize("extra", [0, mp.MPOL_MF_MOVE], ids=["alone", "with MPOL_MF_MOVE"])
def test_flag_of_another_call(own, extra):
    """LTP 10: EINVAL for MPOL_MF_STRICT, a flag of mbind(2)."""
    _, pages, target = own
    with refused(errno.EINVAL, ValueError, pages):
        mp.move_pages(pages, target, flags=MPOL_MF_STRICT | extra)


def error_and_witness(pages, target):
    """Return the error of a forbidden call, and where this process then finds the pages."""
    with pytest.raises(mp.MovePagesError) as caught:
        mp.move_pages(pages, target, flags=mp.MPOL_MF_MOVE_ALL)
    return caught.value, witness.nodes_of(pages)


@pytest.mark.parametrize("moving", [True, False], ids=["move", "query"])
def test_move_all_needs_privilege(nodes, need_root, moving):
    """LTP 11: EPERM without CAP_SYS_NICE; current kernels return it for a query, too."""
    source, target = nodes[0], nodes[-1]
    array = memory.anonymous(COUNT * memory.PAGE, source, shared=True)
    pages = memory.pages_of(array)
    with processes.child(memory.touch, array):
        error, seen = processes.run_as(
            processes.NOBODY, error_and_witness, pages, target if moving else None
        )
    assert_says_nothing_moved(error, errno.EPERM, PermissionError, COUNT)
    np.testing.assert_array_equal(seen, [source] * COUNT)
    np.testing.assert_array_equal(witness.nodes_of(pages), [source] * COUNT)
