"""The sub-command demo checks every report, and shows what went wrong."""

import re
from dataclasses import replace

import pytest

import movepages as mp
from cli_fixtures import SMALL, as_data, one_line, run
from movepages.cli import main
from movepages.cli.demo_tour import Tour
from support import processes, seccomp, system

EPERM = 1


@pytest.fixture
def far_node(monkeypatch):
    """Make the machine seem to have a second node with memory, and a given amount of it free."""

    def pretend(memory_free):
        truth = mp.topology()
        number = max(truth.nodes) + 1
        home = truth.nodes[truth.allowed_nodes[0]]
        nodes = dict(truth.nodes) | {number: replace(home, id=number, memory_free=memory_free)}
        monkeypatch.setattr(mp, "topology", lambda: replace(truth, nodes=nodes))
        return number

    return pretend


def test_demo_believes_a_witness_that_differs(monkeypatch, capsys):
    truth = mp.mempolicy_nodes

    def lie(pages):
        nodes = truth(pages)
        nodes[-1] += 1
        return nodes

    monkeypatch.setattr(mp, "mempolicy_nodes", lie)
    assert main(SMALL) == 1
    captured = capsys.readouterr()
    assert "NOT verified by get_mempolicy" in captured.out
    assert re.search(
        r"^movepages: .* movepages says node \d+, get_mempolicy says node \d+; 1 of", captured.err
    )
    data = as_data(capsys, "--size", "1MiB", status=1)
    assert data["looked"] - data["verified"] == data["looks"]
    assert data["ok"] is False
    assert sum("get_mempolicy says" in each for each in data["problems"]) == data["looks"]


def test_pages_that_move_between_two_looks_are_looked_at_again(monkeypatch, capsys):
    truth, asked = mp.mempolicy_nodes, []

    def late(pages):
        asked.append(len(pages))
        return truth(pages) + (len(asked) == 1)

    monkeypatch.setattr(mp, "mempolicy_nodes", late)
    assert as_data(capsys, "--size", "1MiB")["ok"]


def test_page_with_data_is_not_believed_absent(monkeypatch, capsys):
    truth = mp.where

    def hide(array):
        seen = truth(array)
        runs = seen.runs.copy()
        runs["status"] = mp.PageStatus.EFAULT
        return replace(seen, runs=runs)

    monkeypatch.setattr(mp, "where", hide)
    data = as_data(capsys, "--size", "1MiB", status=1)
    assert data["looked"] > data["verified"] == 0
    assert "movepages says 'Bad address' (errno 14), get_mempolicy says node" in data["problems"][0]


def test_move_that_overstates_is_detected(far_node, monkeypatch, capsys):
    def claim(array, _target):
        pages = mp.where(array).pages
        return mp.MoveResult(pages=pages, moved=pages, seconds=1.0)

    node = far_node(memory_free=1 << 40)
    monkeypatch.setattr(mp, "move", claim)
    data = as_data(capsys, "--size", "1MiB", status=1)
    wrong = next(step for step in data["steps"] if step["to"] == node)
    assert (wrong["moved"], wrong["found_on_target"]) == (wrong["pages"], 0)
    assert f"the move to node {node} reported" in " ".join(data["problems"])


def test_changed_contents_are_noticed():
    trip = Tour(1 << 20)
    trip.array[0] += 1
    assert list(trip.travel()) == trip.steps
    assert trip.problems == ["the contents of the array have changed"]


def test_a_node_without_room_is_left_out(far_node, capsys):
    node = far_node(memory_free=1 << 20)
    data = as_data(capsys, "--size", "1MiB")
    (skip,) = (skip for skip in data["skipped"] if skip["node"] == node)
    assert skip["memory_free"] == 1 << 20
    assert main(SMALL) == 0
    assert f"Node {node} is left out: it has 1 MiB free" in one_line(capsys.readouterr().out)


def test_full_node_is_reported_with_what_was_done(far_node, monkeypatch, capsys):
    truth = mp.move

    def fill(array, target):
        if target != node:
            return truth(array, target)
        pages = mp.where(array).pages
        error = mp.MovePagesMemoryError(12, "ENOMEM: the node is full")
        error.result = mp.MoveResult(pages=pages, not_attempted=pages, seconds=1.0)
        raise error

    node = far_node(memory_free=1 << 40)
    monkeypatch.setattr(mp, "move", fill)
    assert main(SMALL) == 0
    text = one_line(capsys.readouterr().out)
    assert f"To node {node}: ENOMEM: the node is full." in text
    assert "Verified by get_mempolicy" in text


def test_forbidden_get_mempolicy_verifies_nothing():
    def confined():
        seccomp.forbid(EPERM, system.SYS_GET_MEMPOLICY)
        done = run(*SMALL)
        return done.returncode, done.stderr

    code, err = processes.run_as(None, confined)
    assert code == 1
    assert "get_mempolicy says 'Operation not permitted'" in err
