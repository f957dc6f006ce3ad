"""``--to near:DEVICE`` and ``--to weighted``."""

from __future__ import annotations

import argparse
import os

import pytest

import device_fixtures as fake
import movepages as mp
from movepages.cli import main
from movepages.cli.target import parse_target


@pytest.fixture
def dgx(tmp_path, monkeypatch):
    """Have the command see a machine with two sockets and many devices."""
    sysfs, real = fake.dgx(tmp_path), mp.near
    monkeypatch.setattr(mp, "near", lambda device: real(device, sysfs=sysfs))
    return sysfs


@pytest.mark.parametrize(
    ("text", "node"), [("near:nvidia4", 1), ("near:0000:1b:00.0", 0), ("near:/dev/nvme1n1", 1)]
)
def test_node_of_a_device(dgx, capsys, text, node):
    assert parse_target(text) == node
    assert capsys.readouterr().err == ""


def test_another_node_than_the_device_s_is_told(dgx, tmp_path, capsys):
    fake.write(tmp_path / "proc/thread-self/status", "Mems_allowed_list:\t0\n")
    assert parse_target("near:nvidia4") == 0
    told = "movepages: note: node 0, the nearest to nvidia4 (0000:9d:00.0): its node 1 has no"
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [("near:nvidia9", "did you mean 'nvidia7'"), ("near:", "no device ''"), ("near:lo", "virtual")],
)
def test_no_such_device(dgx, capsys, text, told):
    with pytest.raises(SystemExit, match="2"):
        main(["move", "1", "--to", text])
    assert told in capsys.readouterr().err


def test_weights_of_the_kernel(tmp_path, monkeypatch):
    machine = mp.topology(fake.cxl(tmp_path))
    monkeypatch.setattr("movepages.layouts.interleave.read_topology", lambda: machine)
    assert parse_target("weighted") == mp.weighted({0: 5, 1: 5, 2: 1})
    machine = mp.topology(fake.vm(tmp_path / "vm"))
    monkeypatch.setattr("movepages.layouts.interleave.read_topology", lambda: machine)
    with pytest.raises(argparse.ArgumentTypeError, match="this machine suggests none"):
        parse_target("weighted")


class AskedError(Exception):
    """What the command would do next."""


def ask(*what):
    raise AskedError(*what)


def test_a_command_runs_near_a_device(dgx, monkeypatch):
    monkeypatch.setattr("movepages.cli.run.place_thread", ask)
    with pytest.raises(AskedError) as asked:
        main(["run", "--near", "nvidia4", "true"])
    (placing,) = asked.value.args
    assert (placing.nodes, placing.cpus) == ((1,), mp.near("nvidia4").cpus)


@pytest.mark.parametrize("other", [["--node", "0"], ["--cpus", "0"], ["--localalloc"]])
def test_near_sets_memory_and_cpus(dgx, capsys, other):
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--near", "nvidia4", *other, "true"])
    assert "--near: it sets memory and CPUs; leave out the others" in capsys.readouterr().err


def test_a_command_near_no_device(dgx, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--near", "nvidia9", "true"])
    assert "there is no device 'nvidia9'" in capsys.readouterr().err


def test_a_process_is_brought_near_a_device(dgx, monkeypatch):
    monkeypatch.setattr(mp.Process, "localize", lambda _self, node, **_options: ask(node))
    with pytest.raises(AskedError) as asked:
        main(["localize", str(os.getpid()), "--near", "nvidia4", "--dry-run"])
    assert asked.value.args[0].node == 1
