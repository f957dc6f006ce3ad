"""movepages advise: as a table, as JSON, and what it refuses."""

import os

import pytest

import movepages as mp
from cli_fixtures import json_of, run
from support import memory, processes

MIB = 1 << 20


@pytest.fixture(scope="module")
def other():
    held = []

    def hold():
        held.append(memory.anonymous(4 * MIB))
        memory.touch(held[0])
        return held[0].ctypes.data

    with processes.child(hold) as child:
        yield child


def test_table_and_json(other, capsys):
    found = json_of(capsys, "advise", str(other.pid))
    assert found["pid"] == other.pid
    assert max(sum(each["bytes_per_node"].values()) for each in found["findings"]) >= 4 * MIB
    assert found["ok"] == all(each["verdict"] == "leave" for each in found["findings"])
    told = run("advise", str(other.pid))
    assert told.returncode == 0
    assert told.stdout.startswith("used by ")
    if len(mp.topology().allowed_nodes) == 1:
        assert found["ok"]
        assert "nothing to compare" in told.stdout


def test_cpus_and_access(other, capsys):
    cpu = min(os.sched_getaffinity(0))
    found = json_of(capsys, "advise", str(other.pid), "--cpus", str(cpu), "--access", "all")
    assert [each["cpus"] for each in found["threads"]] == [[cpu]]


def test_refusals():
    gone = run("advise", "4194305")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "no process 4194305" in gone.stderr
    assert run("advise").returncode == 2
    assert run("advise", "1", "--access", "some").returncode == 2
    assert run("advise", "1", "--cpus", "99999").returncode in (1, 2)
