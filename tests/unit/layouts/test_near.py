"""near() of devices in fake sysfs trees of real machines."""

from __future__ import annotations

import copy
import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import device_fixtures as fake
import movepages as mp
from movepages.system import device_names


def node_near(device, sysfs):
    return mp.near(device, sysfs=sysfs).node


@pytest.mark.parametrize(
    ("device", "node", "pci"),
    [
        ("0000:1b:00.0", 0, "0000:1b:00.0"),
        ("d1:00.0", 1, "0000:d1:00.0"),
        ("00000000:DF:00.0", 1, "0000:df:00.0"),
        ("ibp24s0", 0, "0000:18:00.0"),
        ("mlx5_7", 1, "0000:dc:00.0"),
        ("nvme1n1", 1, "0000:ab:00.0"),
        ("nvme0", 0, "0000:29:00.0"),
        ("card1", 0, "0000:1b:00.0"),
        ("renderD135", 1, "0000:df:00.0"),
        ("nvidia4", 1, "0000:9d:00.0"),
        ("/dev/nvidia3", 0, "0000:61:00.0"),
        ("/dev/dri/card8", 1, "0000:df:00.0"),
        (Path("/dev/nvme1n1"), 1, "0000:ab:00.0"),
        ("cuda:0", 0, "0000:1b:00.0"),
        ("cuda:7", 1, "0000:df:00.0"),
        ("cuda", 0, "0000:1b:00.0"),
    ],
)
def test_dgx(tmp_path, monkeypatch, device, node, pci):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = mp.near(device, sysfs=fake.dgx(tmp_path))
    assert (found.node, found.device.pci) == (node, pci)
    assert found.cpu_node == node
    assert (0 in found.cpus, 56 in found.cpus) == (node == 0, node == 1)


def test_sub_numa_clusters(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    assert (node_near("eth0", sysfs), node_near("eth1", sysfs)) == (2, 7)
    assert mp.near("eth1", sysfs=sysfs).cpus == tuple(range(56, 64))


@pytest.mark.parametrize("number", [0, 1])
def test_memory_of_a_gpu_has_cpus_elsewhere(tmp_path, number):
    found = mp.near(f"nvidia{number}", sysfs=fake.grace_hopper(tmp_path))
    assert (found.node, found.cpu_node) == (2 + number, number)
    assert found.cpus == tuple(range(72 * number, 72 * number + 72))


def test_domain_is_found_if_only_one_has_the_address(tmp_path):
    sysfs = fake.grace_hopper(tmp_path)
    fake.add_pci(sysfs, "0009:05:00.0", 1)
    assert mp.near("05:00.0", sysfs=sysfs).device.pci == "0009:05:00.0"
    with pytest.raises(ValueError, match=r"no device '0000:01:00\.0': did you mean '00.9:01"):
        mp.near("01:00.0", sysfs=sysfs)


def test_initiator_outranks_the_distance(tmp_path):
    sysfs = fake.cxl(tmp_path)
    found = mp.near("35:00.0", sysfs=sysfs)
    assert (found.node, found.cpu_node) == (2, 1)
    # The distances are alike, so that the first node is as near as the second.
    for name in ("access0", "access1"):
        shutil.rmtree(sysfs / f"devices/system/node/node2/{name}")
    found = mp.near("35:00.0", sysfs=sysfs)
    nodes = mp.topology(sysfs).nodes
    assert (found.cpu_node, found.cpus) == (0, tuple(sorted(nodes[0].cpus + nodes[1].cpus)))


def test_platform_does_not_tell(tmp_path):
    sysfs = fake.vm(tmp_path)
    for name, address in (("eth0", "0000:03:00.0"), ("nvme0n1", "0000:04:00.0")):
        with pytest.raises(mp.TopologyError, match=f"which node '{name}' is near.*{address}/numa"):
            mp.near(name, sysfs=sysfs)


def test_one_node_is_near_everything(tmp_path):
    sysfs = fake.vm(tmp_path, nodes=1)
    assert str(mp.near("eth0", sysfs=sysfs)) == "node 0, the node of eth0 (0000:03:00.0)"
    assert {device.node for device in mp.topology(sysfs).devices} == {0}


def test_node_without_memory_is_told(tmp_path):
    rows = ["10 12 20", "12 10 20", "20 20 10"]
    sysfs = fake.machine(tmp_path, ["0-3", "4-7", "8-11"], rows, memory="0,2")
    fake.add_name(sysfs, "net", "eth0", fake.add_pci(sysfs, "0000:03:00.0", 1))
    found = mp.near("eth0", sysfs=sysfs)
    assert (found.node, found.cpu_node, found.device.node) == (0, 1, 1)
    assert str(found).startswith("node 0, the nearest to eth0 (0000:03:00.0): its node 1 has no")


def test_node_that_is_not_allowed(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    fake.write(tmp_path / "proc/thread-self/status", "Mems_allowed_list:\t0-1,4\n")
    found = mp.near("eth1", sysfs=sysfs)
    assert (found.node, found.device.node, found.cpu_node) == (4, 7, 7)


def test_node_that_is_not_online(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    fake.add_pci(sysfs, "0000:40:00.0", 9)
    with pytest.raises(mp.TopologyError, match=r"'40:00\.0' is near node 9, which is not"):
        mp.near("40:00.0", sysfs=sysfs)


# Devices that consist of others


def test_partitions_volumes_and_bonds(tmp_path):
    sysfs = fake.dgx(tmp_path)
    disks = {name: (sysfs / "class/block" / name).resolve() for name in ("nvme0n1", "nvme1n1")}
    part = fake.add_partition(sysfs, "nvme1n1p2", disks["nvme1n1"])
    volume = fake.add_virtual(sysfs, "block", "dm-0", {"nvme1n1p2": part}, "slaves/")
    fake.add_virtual(sysfs, "block", "dm-1", {"dm-0": volume}, "slaves/")
    raid = fake.add_virtual(sysfs, "block", "md0", disks, "slaves/")
    fake.add_partition(sysfs, "md0p1", raid)
    cards = {name: (sysfs / "class/net" / name).resolve() for name in ("ibp24s0", "ibp64s0")}
    bond = fake.add_virtual(sysfs, "net", "bond0", cards, "lower_")
    fake.add_virtual(sysfs, "net", "bond0.7", {"bond0": bond}, "lower_")
    for name, node in {"nvme1n1p2": 1, "dm-1": 1, "bond0.7": 0}.items():
        assert node_near(name, sysfs) == node
    assert mp.near("dm-1", sysfs=sysfs).device.pci == "0000:ab:00.0"
    assert mp.near("bond0", sysfs=sysfs).device.pci == ""
    for name in ("md0", "md0p1"):
        told = "not near one node, but 'nvme0n1' (node 0), 'nvme1n1' (node 1); pass one of them"
        with pytest.raises(ValueError, match=re.escape(told)):
            mp.near(name, sysfs=sysfs)


def test_disk_with_several_paths(tmp_path):
    sysfs = fake.dgx(tmp_path)
    subsystem = sysfs / "devices/virtual/nvme-subsystem/nvme-subsys5"
    head = subsystem / "nvme5n1"
    head.mkdir(parents=True)
    controllers = {0: (sysfs / "class/nvme/nvme0").resolve()}
    fake.link(subsystem / "nvme0", controllers[0])
    for base in ("class/block", "block"):
        fake.link(sysfs / base / "nvme5n1", head)
    assert node_near("nvme5n1", sysfs) == 0
    assert "nvme5n1" in {device.name for device in mp.topology(sysfs).devices}
    fake.link(subsystem / "nvme1", (sysfs / "class/nvme/nvme1").resolve())
    with pytest.raises(ValueError, match="not near one node"):
        mp.near("nvme5n1", sysfs=sysfs)
    assert "nvme5n1" not in {device.name for device in mp.topology(sysfs).devices}


def test_virtual_device_is_refused(tmp_path):
    sysfs = fake.dgx(tmp_path)
    with pytest.raises(ValueError, match="'lo' is virtual and has no hardware below it"):
        mp.near("lo", sysfs=sysfs)


def test_volumes_in_a_circle_are_refused(tmp_path):
    sysfs = fake.dgx(tmp_path)
    volume = sysfs / "devices/virtual/block/dm-0"
    fake.add_virtual(sysfs, "block", "dm-0", {"dm-0": volume}, "slaves/")
    with pytest.raises(ValueError, match="is virtual and has no hardware"):
        mp.near("dm-0", sysfs=sysfs)


# Files


def test_file_is_near_its_disk(tmp_path):
    sysfs = fake.dgx(tmp_path)
    file = tmp_path / "model"
    file.write_text("weights")
    disk = (sysfs / "class/block/nvme1n1").resolve()
    partition = fake.add_partition(sysfs, "nvme1n1p1", disk)
    # An overlay has one number for its folders, and others for the files that it shows.
    for device in {os.stat(path).st_dev for path in (file, tmp_path)}:
        number = f"{os.major(device)}:{os.minor(device)}"
        fake.link(sysfs / "dev/block" / number, partition)
    assert mp.near(file, sysfs=sysfs).device.name == "nvme1n1p1"
    assert node_near(str(tmp_path), sysfs) == 1
    loop = fake.add_name(sysfs, "block", "loop3", sysfs / "devices/virtual")
    fake.write(loop / "loop/backing_file", f"{file}\n")
    assert node_near("loop3", sysfs) == 1


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("tmpfs tmpfs", "files of tmpfs are in memory"),
        ("overlay overlay", "an overlay shows files of other file systems"),
        ("nfs4 server:/data", "pass the network interface"),
        ("9p kvm", "files of the machine below"),
        ("fuse.odd none", "its file system is fuse.odd; pass the name of the disk"),
    ],
)
def test_file_on_no_disk(tmp_path, kind, why):
    base = tmp_path / "with space"
    base.mkdir()
    sysfs = fake.dgx(tmp_path)
    mounts = "1 0 0:1 / / rw - rootfs rootfs rw\n"
    mounts += f"2 1 0:9 / {str(base).replace(' ', chr(92) + '040')} rw shared:1 - {kind} rw\n"
    fake.write(tmp_path / "proc/self/mountinfo", mounts)
    with pytest.raises(ValueError, match=why):
        mp.near(base, sysfs=sysfs)


def test_subvolume_is_on_the_mount_s_disk(tmp_path):
    sysfs = fake.dgx(tmp_path)
    mounts = "1 0 0:30 /@home / rw - btrfs /dev/nvme1n1 rw,subvol=/@home\n"
    fake.write(tmp_path / "proc/self/mountinfo", mounts)
    assert node_near(tmp_path, sysfs) == 1


def test_missing_path(tmp_path):
    with pytest.raises(ValueError, match="/nowhere': No such file or directory"):
        mp.near(tmp_path / "nowhere", sysfs=fake.dgx(tmp_path))


# What names no device


@pytest.mark.parametrize(
    ("device", "error", "told"),
    [
        ("mlx5_9", ValueError, "did you mean 'mlx5_7' or 'mlx5_6' or 'mlx5_5'.*topology"),
        ("nvme3n1", ValueError, "did you mean 'nvme1n1' or 'nvme0n1'"),
        ("zzz", ValueError, "no device 'zzz': 'movepages topology'"),
        ("/dev/nvme3n1", ValueError, "no device 'nvme3n1': did you mean"),
        ("", ValueError, "no device ''"),
        ("..", ValueError, "."),
        ("a\x1b[31m", ValueError, r"no device 'a\\x1b\[31m'"),
        ("ff:1f.7", ValueError, "no device '0000:ff:1f.7'"),
        (1, TypeError, r"1 is a number; a node is itself a target: move\(a, 1\)"),
        (True, TypeError, "True is a number"),
        (np.int64(1), TypeError, "is a number"),
        (None, TypeError, "got a NoneType"),
        (b"eth0", TypeError, "got a bytes"),
    ],
)
def test_refused(tmp_path, device, error, told):
    with pytest.raises(error, match=told):
        mp.near(device, sysfs=fake.dgx(tmp_path))


@pytest.mark.host
@given(st.text() | st.from_regex(r"(/dev/)?[a-z]*[0-9]*(:[0-9a-f]+)?(\.[0-9])?", fullmatch=True))
def test_any_other_name_is_an_error(tmp_path_factory, name):
    with pytest.raises((ValueError, mp.TopologyError)) as caught:
        mp.near(name, sysfs=tmp_path_factory.getbasetemp() / "nowhere")
    # Whoever shows the message shows no control characters.
    assert str(caught.value).isprintable()


def test_devices_of_torch(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    device = type("device", (), {"__module__": "torch", "type": "cuda", "index": 6})
    sysfs = fake.dgx(tmp_path)
    assert node_near(device(), sysfs) == 1
    device.index = None
    assert node_near(device(), sysfs) == 0
    device.type = "cpu"
    with pytest.raises(TypeError, match=r"expected a cuda device.*local\(\)"):
        mp.near(device(), sysfs=sysfs)


# As a target


def test_stands_for_a_node_and_for_a_layout(tmp_path):
    found = mp.near("eth1", sysfs=fake.sub_numa(tmp_path))
    a = np.ones(1 << 16)
    assert set(mp.targets(a, found).tolist()) == {7}
    assert set(mp.targets(a, mp.interleave([found, 0])).tolist()) == {0, 7}
    assert set(mp.targets({"x": a, "y": a.copy()}, {"x": found, "y": 1}).tolist()) == {1, 7}
    assert pickle.loads(pickle.dumps(found)) == found == copy.copy(found)


def test_moves_binds_and_makes(tmp_path):
    node = mp.topology().allowed_nodes[0]
    sysfs = fake.vm(tmp_path, nodes=1)
    found = mp.near("eth0", sysfs=sysfs)
    if found.node != node:
        pytest.skip(f"this process may not use node {found.node}")
    a = mp.empty(1 << 16, layout=found)
    assert mp.move(a, found).ok
    assert mp.plan(a, found).wanted == {node: a.nbytes}
    mp.bind(a, found)
    assert mp.policy(a)[0].nodes == (node,)
    assert mp.where(mp.full(1 << 16, 1.0, node=found)).bytes_per_node == {node: 8 << 16}
    rows = mp.process().regions()
    rows = rows[rows["name"] == "[stack]"]
    assert all(each.untargeted == 0 for each in mp.process().move(found, rows))


def test_device_of_the_topology_is_a_device(tmp_path):
    sysfs = fake.dgx(tmp_path)
    for device in mp.topology(sysfs).devices:
        assert device_names.find_device(device.name, sysfs) == device
        assert mp.near(device, sysfs=sysfs).node == device.node
