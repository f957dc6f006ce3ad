"""plan() predicts what move() does."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from movepages.migration import calibrate, plan, preview
from movepages.migration.chosen_targets import ChosenTargets
from movepages.migration.folios import Folios
from movepages.system import threads
from movepages.units import format_bytes
from support import huge, memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]
NOT_A_NODE = max(mp.topology().nodes) + 1


@pytest.fixture
def a():
    a = memory.anonymous(100 * PAGE, NODE)
    memory.discard(a[10 * PAGE : 13 * PAGE])
    return a


def test_pages_in_place_and_absent_pages(a):
    p = mp.plan(a, NODE)
    assert p.flows == {(NODE, NODE): 97 * PAGE}
    assert (p.to_move, p.in_place, p.absent, p.problems) == (0, 97 * PAGE, 3, ())
    assert p.arriving == {}
    result = p.execute()
    assert (result.already_there, result.moved) == (97, 0)


def test_a_node_that_may_not_be_used_is_a_problem_and_not_an_error(a):
    p = mp.plan(a, mp.interleave([NODE, NOT_A_NODE], block=PAGE))
    assert p.to_move == p.arriving[NOT_A_NODE]
    assert p.to_move + p.in_place == 97 * PAGE
    assert f"node {NOT_A_NODE} is not a node of this machine" in p.problems[0]
    with pytest.raises(mp.MovePagesError, match="is not a node"):
        p.execute()


def test_a_node_with_too_little_memory_is_a_problem(a, monkeypatch):
    elsewhere, here = np.full(3, NOT_A_NODE, np.int32), np.full(3, NODE, np.int32)
    chosen = ChosenTargets(Folios(3), here, here)
    monkeypatch.setattr(preview, "preview", lambda *_: iter([(elsewhere, chosen, 0)]))
    target = mp.where(a)
    assert mp.plan(a, target).problems == ()
    nodes = dict(mp.topology().nodes)
    nodes[NODE] = replace(nodes[NODE], memory_free=PAGE)
    full = replace(mp.topology(), nodes=nodes)
    monkeypatch.setattr(plan, "machine", lambda: full)
    p = mp.plan(a, target)
    assert p.arriving == {NODE: 3 * PAGE}
    assert p.problems == (
        f"node {NODE} has {format_bytes(PAGE)} free, and {format_bytes(3 * PAGE)} would come to it",
    )


@pytest.mark.parametrize("node", [-3, 100_000, 2**31 - 1])
def test_unknown_node_is_a_problem_without_flows(a, node):
    each = np.full(100, NODE, np.int64)
    each[5] = node
    for target in (node, each):
        p = mp.plan(a, target)
        assert p.flows == {}
        assert f"node {node} " in p.problems[0]


def test_pages_without_a_target_and_restored_ones(a):
    before = mp.where(a)
    a[10 * PAGE] = 1
    p = mp.plan(a, before)
    assert (p.untargeted, p.absent, p.in_place) == (1, 2, 97 * PAGE)


def test_a_huge_page_that_is_cut(huge_page_size):
    a = memory.anonymous(2 * huge_page_size, huge=True)
    memory.bind(a, NODE)
    huge.fill(a)
    pages = huge_page_size // PAGE
    target = np.full(2 * pages, NODE, np.int32)
    target[:5] = NOT_A_NODE
    p = mp.plan(a, target)
    assert (p.overruled, p.to_move) == (5, 0)


def test_text_and_html_of_a_plan(a, monkeypatch):
    monkeypatch.setattr(calibrate, "_known", {1: 1 << 30})
    p = mp.plan(a, mp.interleave([NODE, NOT_A_NODE], block=PAGE))
    text = str(p)
    assert f"{NODE:>6} {NOT_A_NODE:>6}" in text
    assert "in place" in text
    assert "3 pages absent" in text
    assert "problem: node" in text
    assert f", about {p.to_move / (1 << 30):.2g} s" in text
    html = p._repr_html_()
    assert html.count("<tr>") == 3
    assert "problem: node" in html
    assert mp.plan(a, mp.where(a)).remarks[0] == "to move: 0 B"


@pytest.mark.parametrize("how", [pickle.dumps, copy.deepcopy])
def test_plan_of_an_array_is_not_copied(a, how):
    with pytest.raises(TypeError, match="about memory of this process"):
        how(mp.plan(a, NODE))


def test_empty_array():
    p = mp.plan(np.empty(0), NODE)
    assert (p.pages, p.to_move, p.flows) == (0, 0, {})
    assert p.execute().pages == 0


def test_the_rate_is_measured_between_two_nodes():
    rate = mp.calibrate(1 << 20)
    assert (rate is None) == (len(mp.topology().allowed_nodes) < 2)
    assert rate is None or rate > 0
    with pytest.raises(ValueError, match=r"nbytes: expected a whole number from .*, got 1"):
        mp.calibrate(1)
    with pytest.raises(TypeError, match=r"nbytes: expected a whole number from .*, got '1 MiB'"):
        mp.calibrate("1 MiB")


def test_a_plan_expects_the_rate_of_its_threads(monkeypatch):
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _pid: range(8))
    monkeypatch.setattr(calibrate, "_known", {})
    assert calibrate.rate_known(1) is None
    monkeypatch.setattr(calibrate, "_known", {1: 1e9, 4: 3e9})
    rates = [calibrate.rate_known(nbytes << 20) for nbytes in (1, 31, 48, 64, 1 << 20)]
    assert rates == [1e9, 1e9, 1e9, 3e9, 3e9]


def test_one_node_is_counted_as_one_node_for_each_page(a, monkeypatch):
    one, each = mp.plan(a, NODE), mp.plan(a, np.full(100, NODE, np.int32))
    assert one.as_dict() == each.as_dict()
    monkeypatch.setattr(preview, "preview", None)
    assert mp.plan(a, mp.interleave([NODE])).as_dict() == one.as_dict()
