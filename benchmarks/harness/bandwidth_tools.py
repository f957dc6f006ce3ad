"""Programs that measure bandwidth with ordinary loads and stores: likwid-bench and sysbench.

Each function returns the programs for one kind of traffic, by name. A call takes a few passes over
memory of the program's own, and returns the seconds that a pass over `nbytes` takes on average. The
memory is in huge pages if the C library can ask for them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from harness.contest import Skip

Tool = Callable[[], float]

# As many as movepages makes at least.
PASSES = 3
# The first pass of likwid-bench takes up to twice as long as later ones.
LIKWID_PASSES = 50
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# Kernels with the width of our own loads and stores, before those of scalars.
LIKWID_KERNELS = {
    "read": ("load_sse", "load"),
    "write": ("store_sse", "store"),
    "copy": ("copy_sse", "copy"),
}
SYSBENCH_KINDS = ("read", "write")


@contextmanager
def allowed(cpus: Sequence[int]) -> Iterator[None]:
    """Allow this thread, and the programs that it starts, to use these CPUs alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def output_of(command: Sequence[str], cpus: Sequence[int]) -> str:
    with allowed(cpus):
        done = subprocess.run(command, env={**os.environ, **HUGE_PAGES}, capture_output=True)
    text = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} exits with {done.returncode}: {text[-300:]}")
    return text


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, f"no {pattern!r} in {text!r}"
    return float(found[1])


def likwid(kind: str, nbytes: int, cpus: Sequence[int]) -> Tool | Skip:
    """Return likwid-bench with a thread on each CPU, on memory that the first one touches."""
    program = shutil.which("likwid-bench")
    if program is None:
        return Skip("likwid-bench", "needs the command likwid-bench of the package likwid")
    try:
        domain = likwid_domain(output_of([program, "-p"], cpus), cpus)
        kernels = re.findall(r"^(\w+) - ", output_of([program, "-a"], cpus), re.MULTILINE)
    except RuntimeError as error:
        return Skip("likwid-bench", str(error))
    if domain is None:
        return Skip("likwid-bench", "no domain of likwid-bench has the CPUs of the node")
    kernel = next(each for each in LIKWID_KERNELS[kind] if each in kernels)
    where = f"{domain}:{nbytes}B:{len(cpus)}"
    # With -W, likwid-bench 5.2 touches half of the memory before it measures.
    command = [program, "-t", kernel, "-w", where, "-i", str(LIKWID_PASSES)]

    def run() -> float:
        text = output_of(command, cpus)
        assert number(r"^Size \(Byte\):\s+(\d+)", text) == nbytes
        assert number(r"^Data volume \(Byte\):\s+(\d+)", text) == LIKWID_PASSES * nbytes
        assert {*re.findall(r"running on hwthread (\d+) - V.* Offset", text)} == {*map(str, cpus)}
        return number(r"^Time:\s+(\S+) sec", text) / LIKWID_PASSES

    return run


def likwid_domain(listed: str, cpus: Sequence[int]) -> str | None:
    """Return the name of a domain that has these CPUs and no others."""
    for tag, members in re.findall(r"Tag (\w+): ([\d ]+)", listed):
        if sorted(map(int, members.split())) == sorted(cpus):
            return str(tag)
    return None


def sysbench(kind: str, nbytes: int, cpus: Sequence[int]) -> Tool | Skip:
    """Return sysbench with a thread for each CPU, each with a block of its own."""
    program = shutil.which("sysbench")
    if program is None:
        return Skip("sysbench", "needs the command sysbench of the package sysbench")
    # Its blocks have to be powers of two.
    block = 1 << (nbytes // len(cpus)).bit_length() - 1
    options = {
        "threads": len(cpus),
        "time": 0,
        "memory-oper": kind,
        "memory-scope": "local",
        "memory-block-size": block,
        "memory-total-size": PASSES * block * len(cpus),
    }
    command = [program, "memory", *(f"--{name}={value}" for name, value in options.items()), "run"]

    def run() -> float:
        text = output_of(command, cpus)
        moved = number(r"^([\d.]+) MiB transferred", text) * 2**20
        assert abs(moved - PASSES * block * len(cpus)) < 2**20
        return nbytes / (number(r"transferred \(([\d.]+) MiB/sec\)", text) * 2**20)

    return run


def tools(kind: str, nbytes: int, cpus: Sequence[int]) -> Mapping[str, Tool | Skip]:
    """Return the programs that know a kind of traffic."""
    found = {"likwid-bench": likwid(kind, nbytes, cpus)}
    if kind in SYSBENCH_KINDS:
        found["sysbench"] = sysbench(kind, nbytes, cpus)
    return found
