"""The command line: what it prints, what it returns, and that it believes nobody."""

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import movepages as mp
from movepages.cli import journey, main, strip
from movepages.cli.sizes import parse_size
from support import processes, seccomp, system

EPERM = 1
SMALL = ["demo", "--size", "1MiB"]
WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None\n"
    "from movepages.cli import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


def run(*arguments, code=None, **environment):
    start = ["-c", code] if code else ["-m", "movepages"]
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-P", *start, *arguments],
        capture_output=True, text=True, encoding="utf-8", check=False, env=plain | environment,
    )  # fmt: skip


def as_data(capsys, *arguments, status=0):
    assert main(["demo", "--json", *arguments]) == status
    return json.loads(capsys.readouterr().out)


def one_line(text):
    return " ".join(text.split())


@pytest.fixture
def far_node(monkeypatch):
    """Let the machine seem to have a second node with memory, and as much free on it as asked."""

    def pretend(memory_free):
        truth = mp.topology()
        number = max(truth.nodes) + 1
        home = truth.nodes[truth.allowed_nodes[0]]
        nodes = dict(truth.nodes) | {number: replace(home, id=number, memory_free=memory_free)}
        monkeypatch.setattr(mp, "topology", lambda: replace(truth, nodes=nodes))
        return number

    return pretend


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("4096", 4096), ("64MiB", 64 << 20), ("1G", 1 << 30), ("1.5g", 3 << 29), ("2 k", 2048),
        ("64MB", 64_000_000), ("17B", 17), ("9007199254740993", 2**53 + 1), ("1TiB", 1 << 40),
    ],
)  # fmt: skip
def test_sizes(text, nbytes):
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "MiB", "-1", "0", "0.1", "1.2.3", "5 apples", "nan", "1e9"])
def test_what_is_no_size_is_refused_with_what_was_expected(text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["demo", f"--size={text}"])
    assert caught.value.code == 2
    assert re.search(rf"--size: expected .*, got {text!r}", capsys.readouterr().err)


def test_more_than_is_free_is_refused_before_it_is_touched(capsys):
    assert main(["demo", "--size", "1000TiB"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "an array of 1000 TiB is more than the" in captured.err


def test_counts_add_up_and_every_page_is_verified(capsys):
    data = as_data(capsys, "--size", "8MiB")
    array, start, steps = data["array"], data["start"], data["steps"]
    assert array["nbytes"] == 8 << 20
    assert sum(start["bytes_per_node"].values()) + start["absent_bytes"] == array["nbytes"]
    for step in steps:
        counts = (step[name] for name in ("moved", "already_there", "failed", "not_attempted"))
        assert sum(counts) == step["pages"] == array["pages"]
        assert sum(step["failures"].values()) == step["failed"]
        assert step["moved"] + step["already_there"] == step["found_on_target"]
    looks = [start, *(step["look"] for step in steps)]
    assert len(looks) == data["looks"]
    assert all(look["verified"] == look["looked"] > 0 for look in looks)
    assert sum(look["looked"] for look in looks) == data["looked"] == data["verified"]
    assert (data["ok"], data["problems"], data["contents_unchanged"]) == (True, [], True)


def test_it_goes_to_every_other_node_and_back(two_nodes, capsys):
    data = as_data(capsys, "--size", "8MiB")
    first = [int(node) for node in data["start"]["bytes_per_node"]]
    elsewhere = [n for n in mp.topology().allowed_nodes if [n] != first]
    reached = [step["to"] for step in data["steps"]]
    assert [*reached[:-1], *(skip["node"] for skip in data["skipped"])] == elsewhere
    assert reached[-1] is None
    assert data["restored"]
    for step in data["steps"][:-1]:
        # Only absent pages are not there: the rest is on the target, as get_mempolicy confirms.
        assert list(step["look"]["bytes_per_node"]) == [str(step["to"])]
        assert step["moved"] > 0
        assert step["seconds"] > 0
    assert data["steps"][-1]["look"]["bytes_per_node"] == data["start"]["bytes_per_node"]


def test_the_untouched_end_is_absent_and_stays_so(capsys):
    # More than the largest huge page that touching the rest may bring in.
    done = run("demo", "--size", "64MiB", "--json")
    data = json.loads(done.stdout)
    looks = [data["start"], *(step["look"] for step in data["steps"])]
    assert looks[0]["absent_bytes"] > 0
    assert {look["absent_bytes"] for look in looks} == {looks[0]["absent_bytes"]}


def test_text_is_plain_when_piped_and_fits_80_columns():
    done = run("demo", "--size", "8MiB")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    text = one_line(done.stdout)
    verified = re.search(r"Verified by get_mempolicy: ([\d,]+) of ([\d,]+) present", text)
    assert verified[1] == verified[2] != "0"
    assert text.endswith("contents unchanged.")
    machine = mp.topology()
    if len(machine.memory_nodes) == 1:
        assert "This machine has one NUMA node with memory" in text
    strips = text.count("→ node")
    assert text.count("agrees") == strips + bool(strips)


def test_text_and_table_survive_a_terminal_without_unicode():
    done = run("demo", "--size", "8MiB", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_json_needs_no_rich():
    assert json.loads(run(*SMALL, "--json", code=WITHOUT_RICH).stdout)["ok"]


def test_without_rich_one_line_says_what_to_install():
    missing = run(*SMALL, code=WITHOUT_RICH)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.splitlines() == [
        'movepages: the package rich is missing; to get it: pip install "movepages[cli]"'
    ]


def test_a_witness_that_differs_is_believed(monkeypatch, capsys):
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


def test_pages_that_the_kernel_moves_between_two_looks_are_looked_at_again(monkeypatch, capsys):
    truth, asked = mp.mempolicy_nodes, []

    def late(pages):
        asked.append(len(pages))
        return truth(pages) + (len(asked) == 1)

    monkeypatch.setattr(mp, "mempolicy_nodes", late)
    assert as_data(capsys, "--size", "1MiB")["ok"]


def test_a_page_that_holds_data_is_not_believed_absent(monkeypatch, capsys):
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


def test_a_move_that_overstates_is_found_out(far_node, monkeypatch, capsys):
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
    trip = journey.begin(1 << 20)
    trip.array[0] += 1
    assert list(trip.travel()) == trip.stops
    assert trip.problems() == ["the contents of the array have changed"]


def test_a_node_without_room_is_left_out(far_node, capsys):
    node = far_node(memory_free=1 << 20)
    data = as_data(capsys, "--size", "1MiB")
    (skip,) = (skip for skip in data["skipped"] if skip["node"] == node)
    assert skip["memory_free"] == 1 << 20
    assert main(SMALL) == 0
    assert f"Node {node} is left out: 1 MiB are free there" in one_line(capsys.readouterr().out)


def test_a_full_node_is_shown_with_what_was_done(far_node, monkeypatch, capsys):
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


def test_a_sandbox_that_forbids_the_call_is_one_line_on_stderr():
    def confined():
        seccomp.forbid(EPERM, system.SYS_MOVE_PAGES)
        done = run(*SMALL)
        return done.returncode, done.stdout, done.stderr

    code, out, err = processes.run_as(None, confined)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("movepages: EPERM: ")


def test_a_witness_that_may_not_speak_verifies_nothing():
    def confined():
        seccomp.forbid(EPERM, system.SYS_GET_MEMPOLICY)
        done = run(*SMALL)
        return done.returncode, done.stderr

    code, err = processes.run_as(None, confined)
    assert code == 1
    assert "get_mempolicy says 'Operation not permitted'" in err


def test_ctrl_c(monkeypatch, capsys):
    def interrupt(_array):
        raise KeyboardInterrupt

    monkeypatch.setattr(mp, "where", interrupt)
    assert main(SMALL) == 130
    assert capsys.readouterr().err == "movepages: interrupted\n"


def test_a_reader_that_leaves_brings_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    with contextlib.closing(os.fdopen(writer, "w")) as gone:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "movepages", *SMALL, "--json"],
            stdout=gone, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_cells_show_the_node_most_pages_are_on():
    array = np.ones(1 << 18)
    seen = mp.where(array)
    node = max(seen.bytes_per_node, key=seen.bytes_per_node.__getitem__)
    runs = np.repeat(seen.runs[:1], 3)
    runs["pages"], runs["status"] = (10, 24, 6), (node, node + 3, -2)
    placement = replace(seen, pages=40, runs=runs)
    assert strip.cells(placement, 4) == [node, node + 3, node + 3, -1]
    assert strip.cells(placement, 8) == [node] * 2 + [node + 3] * 5 + [-1]
    assert len(strip.cells(placement, 64)) == 40


def test_nodes_with_long_numbers_get_letters():
    assert strip.symbols([0, 3, 9]) == {0: "0", 3: "3", 9: "9"}
    assert strip.symbols([0, 8, 16]) == {0: "A", 8: "B", 16: "C"}


def test_help_and_version(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"movepages {mp.__version__}\n"


def test_the_help_names_every_key_of_the_json(capsys):
    data = as_data(capsys, "--size", "1MiB")
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = capsys.readouterr().out
    keys = {*data, *data["array"], *data["start"], *(k for s in data["steps"] for k in s)}
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()
