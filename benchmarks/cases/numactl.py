"""Compare move() with migratepages and migspeed, the commands of numactl that move memory."""

from __future__ import annotations

import ctypes
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import movepages as mp
from cases.moves import two_nodes
from cases.queries import Sizes, in_bytes
from harness import memory
from harness.contenders import timed
from harness.contest import Line, Skip, faster, take_turns

_PR_SET_THP_DISABLE = 41


@contextmanager
def held(nbytes: int) -> Iterator[mp.Region]:
    """Start another process that holds small pages, and yield their region."""
    command = [sys.executable, Path(__file__).parents[1] / "held.py", str(nbytes)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield mp.Region(int(process.stdout.readline()), nbytes, process.pid)
        process.communicate()


def migratepages(sizes: Sizes) -> list[Line]:
    name = f"{in_bytes(sizes.move)} of another process: migratepages / move()"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    program = shutil.which("migratepages")
    if program is None:
        return [Skip(name, "needs the command migratepages of the package numactl")]
    ways = itertools.cycle((nodes, nodes[::-1]))
    there, back = next(ways)

    def prepare() -> None:
        nonlocal there, back
        back, there = next(ways)

    with held(sizes.move) as ours, held(sizes.move) as theirs:
        for each in (ours, theirs):
            mp.move(each, nodes[0])

        def check() -> None:
            for each in (ours, theirs):
                pages = np.arange(each.address, each.address + each.nbytes, memory.PAGE, np.uintp)
                assert (mp.move_pages(pages, pid=each.pid) == there).all(), "not where wanted"

        command = [program, str(theirs.pid)]
        turns = {
            "migratepages": lambda: timed(
                lambda: subprocess.run([*command, str(back), str(there)], check=True)
            ),
            "movepages": lambda: timed(lambda: mp.move(ours, there).raise_for_status()),
        }
        rounds = take_turns(turns, sizes.rounds, check, prepare)
    return [faster(name, rounds, "migratepages", "movepages")]


def forbid_huge_pages() -> None:
    """Give this process and those that it starts small pages only."""
    ctypes.CDLL(None).prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)


def migspeed_seconds(program: str, nbytes: int, start: int, end: int) -> float:
    """Let migspeed move memory of its own, and return the time that it reports."""
    command = [program, "-p", str(nbytes // memory.PAGE), str(start), str(end)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=forbid_huge_pages
    )
    told = re.search(r"([\d.]+) Mbyte migrated in .*secs\. ([\d.]+) Mbytes/second", done.stdout)
    assert told, f"cannot parse the output of migspeed: {done.stdout!r}"
    amount, speed = map(float, told.groups())
    assert abs(amount * (1 << 20) - nbytes) < 0.1 * nbytes, f"migspeed moved {amount} MiB"
    # The printed seconds have only two decimals, so compute them from amount and speed.
    return amount / speed


def migspeed(sizes: Sizes) -> list[Line]:
    name = f"{in_bytes(sizes.move)} of small pages: migspeed / move()"
    nodes = two_nodes(name)
    if isinstance(nodes, Skip):
        return [nodes]
    program = shutil.which("migspeed")
    if program is None:
        return [Skip(name, "needs the command migspeed of the package numactl")]
    array = memory.small_pages(sizes.move)
    mp.move(array, nodes[0]).raise_for_status()
    ways = itertools.cycle((nodes, nodes[::-1]))
    start, end = nodes

    def prepare() -> None:
        nonlocal start, end
        start, end = next(ways)

    def check() -> None:
        assert (mp.move_pages(memory.pages_of(array)) == end).all(), "not where wanted"

    turns = {
        "migspeed": lambda: migspeed_seconds(program, sizes.move, start, end),
        "movepages": lambda: timed(lambda: mp.move(array, end).raise_for_status()),
    }
    rounds = take_turns(turns, sizes.rounds, check, prepare)
    return [faster(name, rounds, "migspeed", "movepages")]


NUMACTL = (migratepages, migspeed)
