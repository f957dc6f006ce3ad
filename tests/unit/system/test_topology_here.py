"""topology() of this machine, compared with other files of its kernel."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from movepages.system import sysfs
from movepages.system.sysfs import TopologyError
from movepages.system.topology_reader import topology


@pytest.fixture
def here():
    try:
        return topology()
    except TopologyError as err:
        pytest.skip(str(err))


def real_ids(path):
    return sysfs.parse_ids(Path(path).read_text())


def test_cpus_here_are_the_online_cpus(here):
    cpus = [cpu for node in here.nodes.values() for cpu in node.cpus]
    assert len(cpus) == len(set(cpus))
    assert sorted(cpus) == list(real_ids("/sys/devices/system/cpu/online"))


def test_sizes_here(here):
    assert here.page_size == os.sysconf("SC_PAGE_SIZE")
    assert all(size > here.page_size for size in here.huge_page_sizes)
    for node in here.nodes.values():
        assert 0 <= node.memory_free <= node.memory_total
        assert node.has_memory == (node.memory_total > 0)
        assert set(node.huge_pages) <= set(here.huge_page_sizes)


def test_memory_here_is_what_zoneinfo_manages(here):
    """An independent witness: a node's total is the pages its zones manage (si_meminfo_node)."""
    managed = dict.fromkeys(here.nodes, 0)
    for line in Path("/proc/zoneinfo").read_text().splitlines():
        if match := re.match(r"Node ([0-9]+), zone", line):
            current = int(match[1])
        elif match := re.match(r" +managed +([0-9]+)$", line):
            managed[current] += int(match[1]) * here.page_size
    totals = {i: node.memory_total for i, node in here.nodes.items()}
    assert totals == pytest.approx(managed, rel=0.01)
    assert sum(totals.values()) <= sysfs.read_meminfo(Path("/proc/meminfo"))[0] * 1.01


def test_distances_here(here):
    for a in here.nodes:
        assert here.distance(a, a) == min(here.nodes[a].distances.values())
        assert list(here.nodes[a].distances) == list(here.nodes)


def test_allowed_here_is_the_thread_s_cpuset(here):
    status = Path("/proc/thread-self/status").read_text()
    match = re.search(r"^Mems_allowed_list:\s*(.*)$", status, re.MULTILINE)
    allowed = sysfs.parse_ids(match[1]) if match else here.memory_nodes  # no CONFIG_CPUSETS
    assert set(here.allowed_nodes) == set(allowed) & set(here.memory_nodes)
