"""The sub-command demo: its report on the moves of an array, as JSON and as text."""

import json
import re

import pytest

import movepages as mp
from cli_fixtures import SMALL, WITHOUT_RICH, as_data, one_line, run
from movepages.cli import main
from support import memory, nodes


@pytest.fixture
def room():
    """Make room for huge pages on all nodes."""
    if len(mp.topology().allowed_nodes) > 1:
        nodes.make_room()


def test_counts_add_up_and_every_page_is_verified(room, capsys):
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


def test_demo_moves_to_every_other_node_and_back(two_nodes, room, capsys):
    data = as_data(capsys, "--size", "8MiB")
    first = [int(node) for node in data["start"]["bytes_per_node"]]
    elsewhere = [n for n in mp.topology().allowed_nodes if [n] != first]
    reached = [step["to"] for step in data["steps"]]
    assert [*reached[:-1], *(skip["node"] for skip in data["skipped"])] == elsewhere
    assert reached[-1] is None
    for step in data["steps"][:-1]:
        # Only absent pages are not there: all others are on the target, as get_mempolicy confirms.
        assert list(step["look"]["bytes_per_node"]) == [str(step["to"])]
        assert step["moved"] > 0
        assert step["seconds"] > 0
    last = data["steps"][-1]["look"]
    # A kernel that has split a huge page may have dropped parts without data; none has come.
    assert last["absent_bytes"] >= data["start"]["absent_bytes"]
    if last["absent_bytes"] == data["start"]["absent_bytes"]:
        assert data["restored"]
        assert last["bytes_per_node"] == data["start"]["bytes_per_node"]


def test_the_untouched_end_is_absent_and_stays_so(room, capsys):
    # Larger than any huge page that touching the rest may allocate.
    done = run("demo", "--size", "64MiB", "--json")
    data = json.loads(done.stdout)
    looks = [data["start"], *(step["look"] for step in data["steps"])]
    absent = [look["absent_bytes"] for look in looks]
    assert absent[0] > 0
    # If the kernel splits the last huge page, it may drop the parts that nobody has written.
    assert min(absent) == absent[0]
    assert max(absent) - absent[0] < max(memory.huge_page_size(), 1)


@pytest.mark.host
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


@pytest.mark.host
def test_text_and_table_survive_a_terminal_without_unicode():
    done = run("demo", "--size", "8MiB", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.host
def test_json_needs_no_rich():
    assert json.loads(run(*SMALL, "--json", code=WITHOUT_RICH).stdout)["ok"]


@pytest.mark.host
def test_without_rich_one_line_says_what_to_install():
    missing = run(*SMALL, code=WITHOUT_RICH)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.splitlines() == [
        'movepages: the package rich is missing; to get it: pip install "movepages[cli]"'
    ]


def test_the_help_names_every_key_of_the_json(capsys):
    data = as_data(capsys, "--size", "1MiB")
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    text = capsys.readouterr().out
    keys = {*data, *data["array"], *data["start"], *(k for s in data["steps"] for k in s)}
    keys -= {"command", "schema"}  # Every command has these.
    assert {key for key in keys if not re.search(rf"\b{key}\b", text)} == set()
