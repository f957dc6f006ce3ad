"""What results say of themselves in one line, in a console or a debugger."""

import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
import preflight_fixtures
from movepages import PageStatus
from movepages.display.brief import format_share
from picture_fixtures import placed
from support import memory, processes

PAGE = memory.PAGE


@pytest.mark.parametrize(
    ("pages", "status", "told"),
    [
        ([1536, 512], [0, 1], "8 MiB: node 0 75 %, node 1 25 %"),
        ([2], [3], "8 KiB: node 3 100 %"),
        ([1, 2, 1], [0, -2, -61], "16 KiB: node 0 25 %, absent 50 %, not known 25 %"),
        ([9999, 1], [0, 1], "39.1 MiB: node 0 >99 %, node 1 <1 %"),
        ([4], [-2], "16 KiB: absent 100 %"),
    ],
)
def test_placements(pages, status, told):
    assert repr(placed(pages, status)) == f"<Placement {told}>"


def test_a_placement_of_nothing():
    assert repr(mp.where(np.empty(0))) == "<Placement 0 B>"


def test_a_placement_on_very_many_nodes_names_the_largest():
    shown = repr(placed([1] * 700 + [2] + [1] * 299, range(1000)))
    assert shown.endswith("node 6 <1 %, node 700 <1 %, 992 other nodes 99 %>")
    assert len(shown) < 200


@given(st.integers(0, 2**63), st.integers(1, 2**63))
def test_a_share_is_all_or_nothing_only_if_it_is(part, whole):
    part = min(part, whole)
    shown = format_share(part, whole)
    assert (shown == "100 %") == (part == whole)
    assert (shown == "0 %") == (part == 0)
    assert abs(float(shown[:-2].lstrip("<>")) - 100 * part / whole) <= 1


def test_an_array_of_statuses():
    p = placed([3, 2], [1, -2])
    assert np.asarray(p).tolist() == [1, 1, 1, -2, -2]
    assert np.asarray(p).dtype == np.int32
    assert np.array(p, np.int64).dtype == np.int64
    assert np.bincount(np.asarray(p)[:3]).tolist() == [0, 3]
    with pytest.raises(ValueError, match="an array of statuses is a copy"):
        # np.asarray(p, copy=False) of numpy 2 calls this; older ones have no such argument.
        p.__array__(copy=False)


def test_results_of_moves():
    good = mp.MoveResult(pages=5, moved=3, already_there=2)
    assert repr(good) == "<MoveResult 5 pages: 3 moved, 2 already there; ok>"
    bad = mp.MoveResult(pages=5, moved=3, already_there=1, failures={PageStatus.EBUSY: 1})
    told = "5 pages: 3 moved, 1 already there, 1 failed with EBUSY; not ok"
    assert repr(bad) == f"<MoveResult {told}>"


def test_plans():
    p = mp.Plan(pages=4, page_size=PAGE, flows={(0, 1): 3 * PAGE, (1, 1): PAGE}, problems=("full",))
    # An earlier test may have measured how fast this machine moves pages.
    assert re.fullmatch("<Plan 16 KiB: 12 KiB to move(, about .* s)?, 1 problem>", repr(p))


def test_many_members():
    found = mp.where([np.ones(1 << 16), np.ones(1 << 15)])
    assert repr(found).startswith("<Placements of 2 members, 768 KiB: node ")


def test_the_machine():
    machine = mp.topology()
    told = repr(machine)
    assert told.startswith("<Topology node")
    assert f" {sum(len(node.cpus) for node in machine.nodes.values()):,} CPU" in told
    assert len(told) < 80


def test_what_this_process_may_do():
    assert repr(preflight_fixtures.report()) == "<Preflight ok: every operation works>"
    found = preflight_fixtures.report(query=1, move=1)
    assert repr(found).startswith("<Preflight not ok: query no, move no")
    shown = found._repr_html_()
    assert shown.count("<table>") == shown.count("</table>") == 2
    assert all(check.name in shown for check in found.checks)


def test_processes():
    own = mp.process(os.getpid())
    name = Path("/proc/self/comm").read_text().strip()
    assert repr(own) == f"<Process {os.getpid()}: {name}>"
    with processes.child(lambda: Path("/proc/self/comm").write_text("a\x1b[31m<b>")) as other:
        assert other.result
        assert repr(mp.process(other.pid)) == rf"<Process {other.pid}: a\x1b[31m<b>>"
    assert repr(mp.process(other.pid)) == f"<Process {other.pid}>"


def test_a_move_in_the_background():
    a, node = np.ones(1 << 16), mp.topology().allowed_nodes[0]
    goes_on, seen = threading.Event(), threading.Event()

    def wait(_done, _pages):
        seen.set()
        goes_on.wait()

    job = mp.move(a, node, background=True, progress=wait)
    try:
        assert seen.wait(300)
        assert " % of 1" in repr(job)
        job.cancel()
        assert repr(job).endswith(" pages, to be ended>")
    finally:
        goes_on.set()
    # Whether it is too late to end it depends on the machine.
    error = job.exception(300)
    assert repr(job) == f"<BackgroundMove done: {repr(error) if error else job.result()}>"


def test_a_move_in_the_background_that_fails():
    def fail(_done, _pages):
        raise LookupError("mine")

    node = mp.topology().allowed_nodes[0]
    job = mp.move(np.ones(1 << 16), node, background=True, progress=fail)
    assert repr(job.exception(300)) == "LookupError('mine')"
    assert repr(job) == "<BackgroundMove done: LookupError('mine')>"
