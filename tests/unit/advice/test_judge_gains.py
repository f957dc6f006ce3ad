"""Which memory is near or faster, and what a move of it gains."""

import math
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from advice_fixtures import (
    BOUND,
    ONE,
    RATE,
    SIZE,
    TWO,
    bandwidth,
    divided_sockets,
    lying,
    machine,
    subject,
    thread,
)
from movepages.advice import wishes as wishing
from movepages.advice.nearness import nodes_near
from movepages.advice.totals import totals_of
from movepages.advice.use import use_of
from movepages.advice.wishes import wish_for

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


def test_what_a_pass_gains_comes_from_the_figures(ask):
    found = ask(subject(), TWO, figures=bandwidth(100, 25))
    assert found.pass_seconds == pytest.approx(SIZE / 25e9)
    assert found.pass_seconds_after == pytest.approx(SIZE / 100e9)
    gain = SIZE / 25e9 - SIZE / 100e9
    assert found.passes == math.ceil(SIZE / RATE / gain)
    # Each node reads its half; the far half decides.
    halves = ask(subject(), BOUND, figures=bandwidth(100, 25))
    assert halves.pass_seconds == pytest.approx(SIZE / 2 / 25e9)
    assert halves.pass_seconds_after == pytest.approx(SIZE / 2 / 100e9)


@pytest.mark.parametrize("threads", [TWO, BOUND])
def test_what_gains_nothing_is_left(ask, threads):
    # The memory of one node gives both sockets no less.
    found = ask(subject(), threads, figures=bandwidth(100, 99) if threads is TWO else wide())
    assert (found.verdict, found.layout, found.target) == ("leave", "", None)
    assert "does not pay" in found.reason
    assert found.pass_seconds > 0


def wide():
    """Return figures by which the CPUs are the bottleneck, and all memory is alike."""
    figures = bandwidth(100, 100)
    read = figures.read * np.array([[1.0], [1000.0]])
    return replace(figures, read=read)


def test_figures_of_other_nodes_say_nothing(ask):
    other = bandwidth()
    other = replace(other, memory_nodes=(0, 5, 6))
    found = ask(subject(), TWO, figures=other)
    assert (found.verdict, found.pass_seconds, found.passes) == ("move", None, None)


def test_memory_without_cpus_is_near_if_it_is_faster(wish, tmp_path):
    assert wish(lying([(2, 1024)]), TWO).layout == "1"
    assert wish(lying([(2, 1024)]), ONE).layout == "0"
    two = machine(tmp_path / "tiers")
    tiers = {0: 4, 1: 4, 2: 2}
    nodes = {each: replace(node, tier=tiers[each]) for each, node in two.nodes.items()}
    fast = replace(two, nodes=nodes)
    assert [nodes_near(fast, node) for node in (0, 1)] == [{0}, {1, 2}]
    slow = replace(two, nodes=nodes | {2: replace(nodes[2], tier=6)})
    assert [nodes_near(slow, node) for node in (0, 1)] == [{0}, {1}]


def test_parts_in_faster_memory_are_near(tmp_path, monkeypatch):
    two = machine(tmp_path)
    tiers = {0: 4, 1: 4, 2: 2}
    fast = replace(
        two, nodes={each: replace(node, tier=tiers[each]) for each, node in two.nodes.items()}
    )
    real, some, use = wishing.plan, subject(), use_of(fast, BOUND)
    for machine_now, verdict in ((fast, "leave"), (two, "move")):
        flows = {(0, 0): SIZE // 2, (2, 1): SIZE // 2}
        monkeypatch.setattr(
            wishing, "plan", lambda *of, found=flows: replace(real(*of), flows=found)
        )
        held = totals_of([some])
        assert wish_for(machine_now, some, use, "parts", held).verdict == verdict


def test_memory_is_left_if_no_nearer_node_is_allowed(tmp_path):
    four = divided_sockets(tmp_path)
    for allowed, verdict in (((0, 1), "leave"), ((0, 1, 3), "move"), ((0, 1, 2), "move")):
        nodes = {i: replace(node, allowed=i in allowed) for i, node in four.nodes.items()}
        cpuset = replace(four, nodes=nodes)
        some = lying([(1, 1024)])
        held = totals_of([some])
        found = wish_for(cpuset, some, use_of(cpuset, [thread((4, 5))]), "parts", held)
        assert (found.verdict, found.near) == (verdict, 0.0)


def test_firmware_tells_faster_memory(tmp_path):
    two = machine(tmp_path)

    def machine_with(*speeds):
        nodes = {
            each: replace(node, access={1: mp.Access((1,), speed, None, None, None)})
            for (each, node), speed in zip(two.nodes.items(), speeds, strict=True)
        }
        return replace(two, nodes=nodes)

    assert nodes_near(machine_with(100, 100, 300), 1) == {1, 2}
    assert nodes_near(machine_with(100, 100, 50), 1) == {1}
    assert nodes_near(machine_with(100, None, 300), 1) == {1}
