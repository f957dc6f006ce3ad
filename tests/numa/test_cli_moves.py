"""``movepages move`` and ``where`` on real other processes, checked by the witness."""

import json
import mmap
import shutil
import subprocess

import pytest

from movepages.cli import main
from support import memory, nodes, processes, system, witness
from support.settling import until_asleep

PAGE = memory.PAGE
NBYTES = 256 * PAGE


@pytest.fixture
def other(two_nodes):
    held = []

    def hold():
        held.append(memory.anonymous(NBYTES, two_nodes[0]))
        return held[0].ctypes.data

    with processes.child(hold) as child:
        until_asleep(child.pid)
        yield child


def pages_of(other):
    """Return the region's pages per node, from the process's own numa_maps."""
    return witness.numa_maps(other.pid)[other.result].nodes


def move(capsys, other, *arguments, status=0):
    assert main(["move", str(other.pid), *arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_region_goes_to_each_node(capsys, other):
    for node in nodes.allowed()[1:2] + nodes.allowed()[:1]:
        found = move(capsys, other, "--to", str(node), "--region", hex(other.result))
        assert (found["moved"], found["ok"]) == (256, True)
        assert pages_of(other) == {node: 256}


def test_a_dry_run_moves_nothing(capsys, other, two_nodes):
    here, there = two_nodes[:2]
    found = move(capsys, other, "--to", str(there), "--region", hex(other.result), "--dry-run")
    assert found["flows"] == [{"from": here, "to": there, "nbytes": NBYTES}]
    said = ["move", str(other.pid), "--to", str(there), "--region", hex(other.result), "--dry-run"]
    assert main(said) == 0
    assert "other processes map, too, stay where they are without --all" in capsys.readouterr().out
    assert main([*said, "--all"]) == 0
    assert "--all" not in capsys.readouterr().out
    assert pages_of(other) == {here: 256}


@pytest.mark.parametrize(
    ("layout", "share"),
    [("interleave:{},{}", 128), ("weighted:{}=3,{}=1", 192), ("blocks:{},{}", 128)],
)
def test_layouts(capsys, other, two_nodes, layout, share):
    here, there = two_nodes[:2]
    found = move(capsys, other, "--to", layout.format(here, there), "--region", hex(other.result))
    assert (found["already_there"], found["moved"]) == (share, 256 - share)
    assert pages_of(other) == {here: share, there: 256 - share}


def test_interleaving_continues_across_small_regions(capsys, two_nodes):
    """Each region is one page, which would take the layout's first turn if turns began anew."""
    here, there = two_nodes[:2]
    held = []

    def hold():
        held.append(memory.anonymous(64 * PAGE, here))
        for page in range(0, 64, 2):
            address = held[0].ctypes.data + page * PAGE
            assert system.libc.madvise(address, PAGE, mmap.MADV_DONTFORK) == 0
        return held[0].ctypes.data

    with processes.child(hold) as child:
        chosen = [f"--region={child.result + page * PAGE:#x}" for page in range(64)]
        found = move(capsys, child, "--to", f"interleave:{here},{there}", *chosen)
        assert (found["regions"], found["moved"], found["already_there"]) == (64, 32, 32)
        mappings = witness.numa_maps(child.pid)
        each = [mappings[child.result + page * PAGE].nodes for page in range(64)]
        assert each == [{here: 1}, {there: 1}] * 32


def test_a_whole_process(capsys, other, two_nodes):
    there = two_nodes[1]
    status = main(["move", str(other.pid), "--to", str(there), "--json"])
    found = json.loads(capsys.readouterr().out)
    # Pages that it shares with its parent stay, unless they were there before.
    assert status == (0 if found["failed"] == 0 else 1)
    assert set(found["failures"]) <= {"EACCES", "EBUSY"}
    assert found["error"] is None
    assert pages_of(other) == {there: 256}
    counts = ("moved", "already_there", "failed", "absent", "not_attempted")
    assert sum(found[name] for name in counts) == found["pages"]


def test_shared_pages_move_only_with_all(capsys, two_nodes, need_root):
    here, there = two_nodes[:2]
    ours = memory.anonymous(NBYTES, here, shared=True)

    def use():
        return int(ours.sum())

    with processes.child(use) as child:
        region = ["--region", hex(ours.ctypes.data)]
        assert main(["move", str(child.pid), "--to", str(there), *region]) == 1
        captured = capsys.readouterr()
        assert "failed: EACCES" in captured.out
        assert "--all moves them" in captured.err
        assert (witness.nodes_of(memory.pages_of(ours)) == here).all()
        assert main(["move", str(child.pid), "--to", str(there), "--all", *region]) == 0
        assert (witness.nodes_of(memory.pages_of(ours)) == there).all()


def test_where_agrees_with_numastat_on_several_nodes(capsys, other, two_nodes):
    if not shutil.which("numastat"):
        pytest.skip("needs numastat, from the package numactl")
    here, there = two_nodes[:2]
    move(capsys, other, "--to", f"interleave:{here},{there}", "--region", hex(other.result))
    assert main(["where", str(other.pid), "--json"]) == 0
    ours = json.loads(capsys.readouterr().out)["bytes_per_node"]
    done = subprocess.run(
        ["numastat", "-p", str(other.pid)], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    total = next(line[1:] for line in lines if line[:1] == ["Total"])
    ids = [int(word) for word in done.stdout.split("Node ")[1:] for word in [word.split()[0]]]
    for node, mib in zip(ids, total, strict=False):
        assert ours.get(str(node), 0) / (1 << 20) == pytest.approx(float(mib), abs=0.01)


def test_bench_measures_both_ways_to_move(capsys, two_nodes):
    assert main(["bench", "--size=2MiB", "--json"]) == 0
    for case in json.loads(capsys.readouterr().out)["cases"]:
        assert case["move_seconds"] > 0
        assert case["move_pages_seconds"] > 0


def test_plan_warns_of_regions_that_do_not_fit_together(capsys, two_nodes):
    """Each of the two regions would fit on the smallest node, but not both."""
    small = min(nodes.allowed(), key=nodes.free_bytes)
    source = max(nodes.allowed(), key=nodes.free_bytes)
    each = nodes.free_bytes(small) * 2 // 3
    if nodes.free_bytes(small) > 1 << 30 or nodes.free_bytes(source) < 3 * each:
        pytest.skip("needs a node of less than 1 GiB beside one with three times as much")
    held = []

    def hold():
        held.extend(memory.anonymous(each, source) for _ in range(2))
        return [region.ctypes.data for region in held]

    with processes.child(hold) as child:
        where = [f"--region={hex(address)}" for address in child.result]
        plan = ["move", str(child.pid), "--to", str(small), "--dry-run", "--json"]
        assert main([*plan, where[0]]) == 0
        capsys.readouterr()
        assert main([*plan, *where]) == 1
    assert "would come to it" in json.loads(capsys.readouterr().out)["problems"][0]
