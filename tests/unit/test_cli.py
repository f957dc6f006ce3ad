"""The command line: what it prints, what it returns, and that it believes nobody."""

import argparse
import json
import subprocess
import sys

import numpy as np
import pytest

import movepages as mp
from movepages.cli import demo, main
from movepages.cli.sizes import size


def run(*arguments, code=None):
    start = ["-c", code] if code else ["-m", "movepages"]
    return subprocess.run(
        [sys.executable, *start, *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [("4096", 4096), ("64MiB", 64 << 20), ("1.5G", 3 << 29), ("2 kb", 2048), ("1TiB", 1 << 40)],
)
def test_sizes(text, nbytes):
    assert size(text) == nbytes


@pytest.mark.parametrize("text", ["", "MiB", "-1", "0", "1.2.3", "5 apples", "1 PiB"])
def test_what_is_no_size_is_refused_with_an_example(text):
    with pytest.raises(argparse.ArgumentTypeError, match="such as 64MiB"):
        size(text)


def test_demo_in_a_process_of_its_own():
    done = run("demo", "--size", "8MiB")
    assert (done.returncode, done.stderr) == (0, "")
    assert "contents unchanged" in done.stdout
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    if len(mp.topology().allowed_nodes) == 1:
        assert "nowhere to move it" in " ".join(done.stdout.split())
    else:
        assert "back" in done.stdout


def test_demo_as_data(capsys):
    assert main(["demo", "--size", "8MiB", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    nodes = mp.topology().allowed_nodes
    array, steps = data["array"], data["steps"]
    assert (
        sum(array["bytes_per_node"].values()) + array["absent_bytes"] == array["bytes"] == 8 << 20
    )
    assert len(steps) + len(data["skipped"]) == (len(nodes) if len(nodes) > 1 else 0)
    for step in steps:
        counts = step["moved"], step["already_there"], step["not_attempted"]
        assert sum(counts) + sum(step["failed"].values()) == step["pages"]
        assert step["error"] is None
    assert data["looks"] == len(steps) + 1
    assert (data["differing"], data["contents_unchanged"]) == (0, True)
    assert data["verified"] > 0


def test_json_needs_no_rich():
    code = (
        "import sys; sys.modules['rich'] = None\n"
        "from movepages.cli import main\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    assert run("demo", "--json", "--size", "1MiB", code=code).returncode == 0
    missing = run("demo", "--size", "1MiB", code=code)
    assert missing.returncode == 2
    assert missing.stderr.splitlines() == [
        "movepages: the command line needs rich; install it with pip install 'movepages[cli]'"
    ]


def test_a_witness_that_differs_is_believed(monkeypatch, capsys):
    truth = mp.mempolicy_nodes

    def lie(pages):
        nodes = truth(pages)
        nodes[-1] += 1
        return nodes

    monkeypatch.setattr(mp, "mempolicy_nodes", lie)
    assert main(["demo", "--size", "1MiB", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    assert data["differing"] == data["looks"]


def test_changed_contents_are_noticed():
    journey = demo.Journey(1 << 20)
    assert journey.holds
    journey.touched[-1] += 1
    assert not journey.contents_unchanged
    assert not journey.holds


def test_a_node_without_room_is_left_out():
    journey = demo.Journey(1 << 20)
    journey.touched = np.lib.stride_tricks.as_strided(journey.array, (1 << 50,), (0,))
    assert journey.step_to(journey.topology.allowed_nodes[0]) is None
    assert journey.skipped[0]["node"] == journey.topology.allowed_nodes[0]


def test_a_refusal_is_one_line(monkeypatch, capsys):
    def refuse(_array):
        return mp.move_pages([0], 999)

    monkeypatch.setattr(mp, "where", refuse)
    assert main(["demo", "--size", "1MiB"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("movepages: ENODEV: node 999 is not a node with memory")
    assert len(captured.err.splitlines()) == 1


def test_ctrl_c(monkeypatch, capsys):
    def interrupt(_nbytes):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "Journey", interrupt)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "movepages: interrupted\n"


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"movepages {mp.__version__}\n"


def test_wrong_command_lines(capsys):
    for wrong in (["nonsense"], ["demo", "--size", "5 apples"], ["demo", "--sise", "1"]):
        with pytest.raises(SystemExit) as caught:
            main(wrong)
        assert caught.value.code == 2
    assert "such as 64MiB" in capsys.readouterr().err
