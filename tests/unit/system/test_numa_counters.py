"""The kernel's counters of allocations and of balancing, as each kernel writes them."""

from movepages.system.numa_counters import (
    BalancingCounters,
    NodeCounters,
    NumaCounters,
    read_numa_counters,
)
from support import nodes
from sysfs_fixtures import node_directory, write

NUMASTAT = """\
numa_hit {0}1
numa_miss {0}2
numa_foreign {0}3
interleave_hit 99
local_node {0}4
other_node {0}5
"""
VMSTAT = """\
nr_free_pages 7
numa_hit 1
numa_pte_updates {0}1
numa_huge_pte_updates 0
numa_hint_faults {0}2
numa_hint_faults_local {0}3
numa_pages_migrated {0}4
pgmigrate_success 5
"""


def machine(folder, *, balancing=True, online=(0, 17), times=""):
    sysfs, proc = folder / "sys", folder / "proc"
    for node in online:
        write(node_directory(sysfs) / f"node{node}" / "numastat", NUMASTAT.format(times))
    text = VMSTAT.format(times)
    lines = [line for line in text.splitlines(True) if balancing or "numa" not in line]
    write(proc / "vmstat", "".join(lines))
    return read_numa_counters(sysfs, proc)


def test_each_node_and_balancing(tmp_path):
    found = machine(tmp_path)
    assert found.nodes == dict.fromkeys((0, 17), NodeCounters(1, 2, 3, 4, 5))
    assert found.nodes[17].other_node == 5
    assert found.balancing == BalancingCounters(2, 3, 4, 1)
    assert found.balancing.numa_pte_updates == 1


def test_a_kernel_without_balancing(tmp_path):
    found = machine(tmp_path, balancing=False)
    assert found.balancing == BalancingCounters(None, None, None, None)
    assert found.since(found).balancing == found.balancing


def test_a_kernel_without_numa(tmp_path):
    assert read_numa_counters(tmp_path, tmp_path) == NumaCounters({}, BalancingCounters())
    # The directory of a node may lack the file.
    (node_directory(tmp_path) / "node0").mkdir(parents=True)
    assert read_numa_counters(tmp_path, tmp_path).nodes == {}


def test_differences_of_the_nodes_that_stayed(tmp_path):
    before = machine(tmp_path / "before")
    after = machine(tmp_path / "after", online=(17, 18), times=1)
    assert after.since(before) == NumaCounters(
        {17: NodeCounters(10, 10, 10, 10, 10)}, BalancingCounters(10, 10, 10, 10)
    )


def test_this_machine():
    before = read_numa_counters()
    added = read_numa_counters().since(before)
    assert set(nodes.listed("online")) >= set(before.nodes)
    assert all(count >= 0 for each in added.nodes.values() for count in each)
