"""The command line compared with numactl and numastat, also in the guests, which have them."""

import contextlib
import errno
import json
import mmap
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from movepages.cli import main
from support import kinds_kernel, memory, nodes, processes, settling

OVERCOMMIT = Path("/proc/sys/vm/nr_overcommit_hugepages")
MIB = 1 << 20


@pytest.fixture
def told():
    if not shutil.which("numactl"):
        pytest.skip("needs numactl")
    done = subprocess.run(["numactl", "--hardware"], capture_output=True, text=True, check=True)
    return done.stdout


def test_topology_agrees_with_numactl(told, capsys):
    assert main(["topology", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    ours = {node["id"]: node for node in found["nodes"]}
    cpus = {
        int(n): [int(c) for c in cpus.split()]
        for n, cpus in re.findall(r"^node (\d+) cpus:(.*)$", told, re.M)
    }
    sizes = {int(n): int(mb) for n, mb in re.findall(r"^node (\d+) size: (\d+) MB", told, re.M)}
    assert cpus == {n: node["cpus"] for n, node in ours.items()}
    assert sizes == {n: node["memory_total"] >> 20 for n, node in ours.items()}
    rows = re.findall(r"^ *(\d+): +([\d ]+)$", told, re.M)
    distances = {int(n): [int(d) for d in row.split()] for n, row in rows}
    assert distances == {n: list(node["distances"].values()) for n, node in ours.items()}


def numastat(pid):
    """Return the figures of numastat: MiB by kind, over all nodes."""
    done = subprocess.run(["numastat", "-p", str(pid)], capture_output=True, text=True, check=True)
    rows = re.findall(r"^(\w+) .*?([\d.]+) *$", done.stdout, re.MULTILINE)
    return {kind: float(mib) for kind, mib in rows}


def mapped(fd, nbytes):
    """Return a mapping of huge pages, for which free memory may have to be brought together."""
    with contextlib.suppress(OSError):
        return mmap.mmap(fd, nbytes)
    nodes.make_room()
    try:
        return mmap.mmap(fd, nbytes)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise kinds_kernel.CannotMakeError(f"no huge page is free: {error}") from error
        raise


@contextlib.contextmanager
def hugetlb_memfd():
    """Yield a process with a page of hugetlbfs, in a file whose name does not show it."""
    held, size = [], memory.hugetlb_page_size()

    def hold():
        with os.fdopen(os.memfd_create("plain", os.MFD_HUGETLB), "wb") as file:
            file.truncate(size)
            held.append(mapped(file.fileno(), size))
        held[0][0] = 1
        return size

    try:
        with kinds_kernel.settings({OVERCOMMIT: "1"}), processes.child(hold) as other:
            yield other
    except kinds_kernel.CannotMakeError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["anonymous", "hugetlb"])
def other(request):
    if not shutil.which("numastat"):
        pytest.skip("needs numastat, from the package numactl")
    held, node = [], nodes.allowed()[0]

    def hold():
        held.append(memory.anonymous(8 * MIB, node))
        return 0

    plain = request.param == "anonymous"
    with processes.child(hold) if plain else hugetlb_memfd() as child:
        settling.until_asleep(child.pid)
        yield child


def test_where_agrees_with_numastat(other, capsys):
    assert main(["where", str(other.pid), "--json"]) == 0
    stat = numastat(other.pid)
    found = json.loads(capsys.readouterr().out)
    here = {kind: sum(counts.values()) for kind, counts in found["kinds"].items()}
    assert here["huge"] == other.result
    for kind in ("heap", "stack", "huge"):
        assert here[kind] == pytest.approx(stat[kind.title()] * MIB, abs=0.01 * MIB)
    assert found["nbytes"] == pytest.approx(stat["Total"] * MIB, abs=0.01 * MIB)
