"""``--to near:DEVICE`` and ``--to weighted``."""

from __future__ import annotations

import argparse

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
