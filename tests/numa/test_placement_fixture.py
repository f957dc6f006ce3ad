"""The fixture `placement` and `watch` see pages that another hand moves between nodes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import movepages as mp
from movepages.cli import main
from support import memory, processes, system, witness
from support.settling import until_asleep

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
kept = []
TESTS = """
import numpy as np
import movepages as mp
from support import memory, witness
from test_placement_fixture import send

HERE, THERE = {nodes}

def test_stays(placement):
    a = placement(memory.anonymous(1 << 20, HERE), THERE)
    b = placement([memory.anonymous(1 << 20, HERE)], mp.interleave([HERE, THERE]))
    assert set(witness.pages_per_node(a)) == {{THERE}}
    assert set(witness.pages_per_node(b[0])) == {{HERE, THERE}}

def test_goes(placement):
    a = placement(memory.anonymous(1 << 20, HERE), THERE)
    send(a[: 1 << 18], HERE)
"""


def send(a, node):
    """Move the pages of an array by the bare system call."""
    pages = memory.pages_of(a)
    nodes, status = np.full(len(pages), node, np.int32), np.zeros(len(pages), np.int32)
    system.syscall(
        system.SYS_MOVE_PAGES, 0, len(pages), pages.ctypes.data, nodes.ctypes.data,
        status.ctypes.data, mp.MPOL_MF_MOVE,
    )  # fmt: skip
    assert set(status.tolist()) == {node}


def hold(node):
    """Keep memory in this process, and return its address."""
    kept.append(memory.anonymous(4 * MIB, node))
    return kept[-1].ctypes.data


def test_a_benchmark_fails_when_its_pages_go(two_nodes, tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS.format(nodes=two_nodes))
    path = os.pathsep.join(map(str, (ROOT / "tests", ROOT / "tests/numa")))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-rA", "-p", "movepages.pytest_plugin"],
        cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path, "COLUMNS": "400",
        },
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "PASSED test_it.py::test_stays" in done.stdout
    told = re.search("FAILED test_it.py::test_goes - (.*)", done.stdout)[1]
    pages = MIB // memory.PAGE
    assert f"ndarray on node {two_nodes[1]}: {pages // 4} of {pages} pages did not stay" in told
    assert f"Now: 1 MiB in {pages} pages: node {two_nodes[0]}: 256 KiB" in told


def test_watch_sees_memory_move(two_nodes, tmp_path):
    here, there = two_nodes
    file = tmp_path / "movepages.prom"
    with processes.child(lambda: None) as other:
        address = other.call(hold, here)
        until_asleep(other.pid)
        watched = mp.process(other.pid)
        regions = watched.regions()
        with mp.watch(other.pid, 0.05) as samples:
            before = next(samples)
            watched.move(there, regions[regions["address"] == address])
            after = next(samples)
        assert after.bytes_per_node[there] - before.bytes_per_node[there] >= 4 * MIB
        assert after.bytes_per_second[here] < 0 < after.bytes_per_second[there]
        assert main(["watch", str(other.pid), "--count=1", "--prometheus", str(file)]) == 0
        seen = {}
        for mapping in witness.numa_maps(other.pid).values():
            for node, pages in mapping.nodes.items():
                seen[node] = seen.get(node, 0) + pages * mapping.page_size
    told = re.findall(r'memory_bytes\{.*node="(\d+)"\} (\d+)', file.read_text())
    assert {int(node): int(n) for node, n in told if int(n)} == seen
