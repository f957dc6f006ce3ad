"""Calls and memory of where(), plan() and move() on a model of the kernel, up to 10^10 pages.

Counts tell how the cost grows without a clock. The model ends the process if a page goes anywhere
but to its target, so this runs in a process of its own.
"""

import json
import subprocess
import sys

import pytest

from support.compiling import ROOT, compiler

COUNT = """
import json, sys
from dataclasses import asdict
from harness.scaling import Memory, count
for line in sys.stdin:
    calls = json.loads(line)
    found = [asdict(count(work, Memory(**memory))) for work, memory in calls]
    print(json.dumps(found), flush=True)
"""
MIB = 1 << 20

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def count():
    """Return a function that makes some calls and returns the counts of each."""
    compiler()
    with subprocess.Popen(
        [sys.executable, "-c", COUNT], text=True, cwd=ROOT / "benchmarks",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip

        def counts(*calls):
            print(json.dumps(calls), file=process.stdin, flush=True)
            return json.loads(process.stdout.readline())

        # What a first call imports is not scratch memory.
        counts(*((work, {"pages": 10_000, "first": 1}) for work in ("where", "plan", "move")))
        yield counts
        process.stdin.close()


@pytest.mark.parametrize("huge", [True, False])
def test_uniform_memory_of_any_size_takes_constant_memory(count, huge):
    memory = {"huge": huge, "first": 1}
    for work in ("where", "plan"):
        few, many = count(*((work, memory | {"pages": pages}) for pages in (10**6, 10**7)))
        assert many["entries"] <= 10 * few["entries"]
        assert many["calls"] <= 11 * few["calls"]
        assert many["scratch_bytes"] < MIB / 4


@pytest.mark.parametrize("huge", [True, False])
@pytest.mark.parametrize("nodes", [1, 16, 1024])
def test_a_move_is_linear_and_its_memory_follows_the_runs(count, huge, nodes):
    memory = {"huge": huge, "first": int(nodes == 1), "nodes": nodes}
    few, many = count(*(("move", memory | {"pages": pages}) for pages in (2**19, 2**21)))
    for each in ("entries", "calls", "moving_calls"):
        assert many[each] <= 4.1 * few[each] + 20, each
    new_runs = many["runs"] - few["runs"]
    assert many["scratch_bytes"] - few["scratch_bytes"] < MIB + 128 * new_runs


def test_the_fixed_cost_of_a_call_is_paid_a_few_times(count):
    quick, slow = count(
        *(("move", {"pages": 2**19, "first": 1, "fixed_ns": ns}) for ns in (155_000, 26_000_000))
    )
    assert slow["moving_calls"] <= quick["moving_calls"]
    assert slow["seconds"] <= 2 * quick["seconds"]


@pytest.mark.parametrize("work", ["where", "plan", "move"])
def test_holes_of_any_size_cost_nothing(count, work):
    sizes = (10**7, 10**10)
    few, many = count(*((work, {"pages": n, "every": n // 1000, "first": 1}) for n in sizes))
    assert many["entries"] == few["entries"] < 3000
    assert many["runs"] == few["runs"]
    assert many["scratch_bytes"] < MIB
