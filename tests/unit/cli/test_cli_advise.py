"""movepages advise: as a table, as JSON, and what it refuses."""

import os

import pytest

import movepages as mp
from cli_fixtures import json_of, run
from movepages.cli import main
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


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_commands_can_be_copied(terminal, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    names = [f"region {number:#x}" for number in range(9)]
    findings = [
        mp.Finding(
            name=name, nbytes=MIB, bytes_per_node={0: MIB}, near=0.5, verdict="move",
            layout="blocks:0,1",
        )
        for name in names
    ]  # fmt: skip
    advice = mp.Advice(
        findings=tuple(findings), pid=7, threads=(), users={}, described_use="", balancing=False
    )
    monkeypatch.setattr(mp, "advise", lambda **_: advice)
    assert main(["advise", "7"]) == 0
    told = capsys.readouterr().out.replace("\\\n", "")
    (command,) = (line for line in told.splitlines() if line.startswith("$ "))
    options = "".join(f" --region {name.split()[1]}" for name in names)
    assert " ".join(command.split()) == f"$ movepages move 7 --to blocks:0,1{options}"


@pytest.mark.host
def test_refusals():
    gone = run("advise", "4194305")
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "no process 4194305" in gone.stderr
    assert run("advise").returncode == 2
    assert run("advise", "1", "--access", "some").returncode == 2
    for cpu, why in ("99999", "expected ids up to"), ("65535", "not a CPU of any node"):
        wrong = run("advise", str(os.getpid()), "--cpus", cpu)
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert why in wrong.stderr
