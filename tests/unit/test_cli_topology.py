"""``movepages topology`` against ``numactl --hardware``."""

import json
import re
import shutil
import subprocess

import pytest

from movepages.cli import main


@pytest.fixture
def told():
    if not shutil.which("numactl"):
        pytest.skip("needs numactl")
    done = subprocess.run(["numactl", "--hardware"], capture_output=True, text=True, check=True)
    return done.stdout


def test_figures_are_those_of_numactl(told, capsys):
    assert main(["topology", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    nodes = {node["id"]: node for node in found["nodes"]}
    cpus = {
        int(n): [int(c) for c in cpus.split()]
        for n, cpus in re.findall(r"^node (\d+) cpus:(.*)$", told, re.M)
    }
    sizes = {int(n): int(mb) for n, mb in re.findall(r"^node (\d+) size: (\d+) MB", told, re.M)}
    assert cpus == {n: node["cpus"] for n, node in nodes.items()}
    assert sizes == {n: node["memory_total"] >> 20 for n, node in nodes.items()}
    rows = re.findall(r"^ *(\d+): +([\d ]+)$", told, re.M)
    distances = {int(n): [int(d) for d in row.split()] for n, row in rows}
    assert distances == {n: list(node["distances"].values()) for n, node in nodes.items()}
