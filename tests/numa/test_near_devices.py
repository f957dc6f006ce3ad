"""near() and topology() of a machine with devices near its nodes and a table of performance.

A guest has both: lab.py --devices. Another machine with several nodes may have devices alone.
"""

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.cli import main
from support import memory, witness
from support.nodes import listed, parse_list

PCI = Path("/sys/bus/pci/devices")
NODES = Path("/sys/devices/system/node")


@pytest.fixture(scope="module")
def drivers():
    """Load the drivers of the guest's devices, which nothing else there needs."""
    if os.geteuid() != 0:
        return
    for name in ("virtio_net", "nvme"):
        subprocess.run(["modprobe", name], check=False, capture_output=True)
    # A disk appears some time after its controller.
    end = time.monotonic() + 180
    while time.monotonic() < end:
        controllers = [*Path("/sys/class/nvme").glob("nvme*")]
        if all([*each.glob("nvme*n*")] for each in controllers):
            return
        time.sleep(0.1)


@pytest.fixture(scope="module")
def placed(drivers):
    """Return the node of each PCI function that has one, as the kernel tells it."""
    found = {each.name: int((each / "numa_node").read_text()) for each in PCI.glob("*")}
    found = {address: node for address, node in found.items() if node >= 0}
    if len(set(found.values())) < 2:
        pytest.skip("needs PCI devices near two nodes; see lab.py --devices")
    return found


@pytest.fixture(scope="module")
def hmat():
    """Return the folder of what each node's memory is for the nearest CPUs."""
    found = {node: NODES / f"node{node}/access1/initiators" for node in listed("has_memory")}
    if not all((each / "read_bandwidth").exists() for each in found.values()):
        pytest.skip("needs firmware with a table of performance (HMAT); see lab.py --devices")
    return found


def nodes_of(array):
    """Return the nodes of an array's pages, by an independent witness."""
    return set(witness.nodes_at_once(memory.pages_of(array)).tolist())


def functions(devices):
    """Return the devices by their PCI address."""
    return {device.pci: device for device in devices if device.pci}


def test_every_function_is_near_its_node(placed):
    for address, node in placed.items():
        found = mp.near(address)
        assert (found.device.node, found.device.pci) == (node, address)
        assert found.cpu_node in listed("has_cpu")
        assert found.cpus == parse_list((NODES / f"node{found.cpu_node}/cpulist").read_text())


def test_devices_of_the_topology_are_near_their_nodes(placed):
    devices = functions(mp.topology().devices)
    known = {address: placed[address] for address in devices if address in placed}
    assert {address: devices[address].node for address in known} == known
    assert len(set(known.values())) >= 2
    for device in devices.values():
        if device.node is not None:
            assert mp.near(device.name).device == device


def test_pages_move_near_each_device(placed, two_nodes):
    a = np.ones(1 << 18)
    names = [each.name for each in mp.topology().devices if each.node is not None]
    for name in names:
        target = mp.near(name)
        assert mp.move(a, target).ok
        assert nodes_of(a) == {target.node}


def test_new_pages_come_near_each_device(placed, two_nodes):
    for address, node in placed.items():
        target = mp.near(address)
        a = mp.full(1 << 16, 1.0, node=target)
        b = mp.empty(1 << 16, layout=target)
        assert nodes_of(a) == nodes_of(b) == {node}


def test_platform_tells_no_node_for_others(drivers):
    untold = [each.name for each in PCI.glob("*") if (each / "numa_node").read_text() == "-1\n"]
    if not untold or len(listed("online")) < 2:
        pytest.skip("needs a PCI device whose node is not known, on several nodes")
    with pytest.raises(mp.TopologyError, match="the platform does not say which node"):
        mp.near(untold[0])


def test_command_names_the_devices(placed, capsys):
    assert main(["topology"]) == 0
    text = capsys.readouterr().out
    for name in [each.name for each in mp.topology().devices if each.node is not None]:
        assert name in text


def test_figures_are_those_of_the_firmware(hmat):
    machine = mp.topology()
    for node, folder in hmat.items():
        told = machine.nodes[node].from_cpus
        for name in ("read_bandwidth", "write_bandwidth", "read_latency", "write_latency"):
            assert getattr(told, name) == int((folder / name).read_text())
        assert all((folder / f"node{each}").exists() for each in told.initiators)
    # The guest's nodes differ, so no two figures may be mixed up.
    assert len({machine.nodes[node].from_cpus[1:] for node in hmat}) > 1


def test_memory_of_other_nodes_has_the_cpus_that_firmware_names(hmat, memory_only_node):
    machine = mp.topology()
    for node in hmat:
        told = machine.nodes[node].from_cpus
        assert machine.nearest_cpus(node) in (node, *told.initiators)


def test_tiers_are_those_of_the_kernel(hmat):
    told = Path("/sys/devices/virtual/memory_tiering")
    expected = {
        int(each.name.removeprefix("memory_tier")): parse_list((each / "nodelist").read_text())
        for each in told.glob("memory_tier*")
    }
    if not expected:
        pytest.skip("needs memory tiers: Linux 6.1")
    assert mp.topology().memory_tiers == expected


def test_weighted_follows_kernel_or_bandwidth(hmat):
    machine = mp.topology()
    nodes = machine.allowed_nodes
    a = np.zeros(machine.page_size * 4096, np.uint8)
    found = mp.targets(a, mp.weighted(block=machine.page_size))[: 32 * 100]
    share = {node: float(np.mean(found == node)) for node in nodes}
    told = {node: machine.nodes[node] for node in nodes}
    if machine.auto_weights is None and len({each.weight for each in told.values()}) == 1:
        total = sum(each.from_cpus.read_bandwidth for each in told.values())
        wanted = {node: each.from_cpus.read_bandwidth / total for node, each in told.items()}
    else:
        total = sum(each.weight for each in told.values())
        wanted = {node: each.weight / total for node, each in told.items()}
    assert share == pytest.approx(wanted, abs=0.05)
