"""The command on a process that has reserved 16 TiB and uses a few pages of it."""

import json
import os
import time

import pytest

import movepages as mp
from movepages import _core
from movepages.cli import main
from support import nodes, processes, sparse
from support.memory import PAGE

NODE = mp.topology().allowed_nodes[0]
COUNT = 200


@pytest.fixture(scope="module")
def other():
    if _core.reach(0, 1 << 30, 1, 0) is None:
        pytest.skip("needs Linux 6.7, which scans page tables")
    held = []

    def hold():
        held.append(sparse.reserved(node=NODE))
        sparse.touched(held[0], COUNT)
        return held[0].ctypes.data

    sparse.reserved()
    with processes.child(hold) as child:
        yield child


def run(capsys, *arguments):
    """Run a command within 3 s, or within 20 times what a command on little memory takes."""
    for _ in range(2):
        start = time.perf_counter()
        assert main(["maps", str(os.getpid()), "--region", "[stack]", "--json"]) == 0
        seconds = max(3, 20 * (time.perf_counter() - start))
    capsys.readouterr()
    with sparse.bounded(seconds):
        status = main([*arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_where_and_maps(capsys, other):
    status, found = run(capsys, "where", str(other.pid))
    assert (status, found["nbytes"] >= COUNT * PAGE) == (0, True)
    status, found = run(capsys, "maps", str(other.pid), "--region", hex(other.result))
    (region,) = found["regions"]
    assert (status, region["nbytes"]) == (0, sparse.WHOLE)
    assert region["bytes_per_node"] == {str(NODE): COUNT * PAGE}


@pytest.mark.parametrize("to", [str(NODE), f"interleave:{NODE}", f"blocks:{NODE},{NODE}"])
def test_move(capsys, other, to):
    where = ("move", str(other.pid), "--to", to, "--region", hex(other.result))
    status, found = run(capsys, *where, "--dry-run")
    assert (status, found["problems"]) == (0, [])
    assert found["flows"] == [{"from": NODE, "to": NODE, "nbytes": COUNT * PAGE}]
    status, found = run(capsys, *where)
    assert (status, found["already_there"]) == (0, COUNT)
    assert found["absent"] == sparse.WHOLE // PAGE - COUNT


def test_whole_process(capsys, other):
    # The node has to have room for all that the child has on others.
    nodes.make_room()
    status, _ = run(capsys, "move", str(other.pid), "--to", str(NODE), "--dry-run")
    assert status == 0
    status, found = run(capsys, "move", str(other.pid), "--to", str(NODE))
    assert found["absent"] >= sparse.WHOLE // PAGE - COUNT
