"""topology() while nodes come and go, and of broken trees."""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path

import pytest

import sysfs_fixtures as fake
from movepages.system import sysfs
from movepages.system.sysfs import TopologyError
from movepages.system.topology_reader import topology

# Missing nodes


@pytest.mark.parametrize(
    ("node_id", "why"), [(8, "node 8 is offline"), (5, "node 5 does not exist")]
)
def test_failed_lookup_lists_the_nodes(tmp_path, node_id, why):
    machine = topology(fake.power(tmp_path))
    for lookup in (
        machine.node,
        lambda i: machine.distance(0, i),
        lambda i: machine.distance(i, 0),
    ):
        with pytest.raises(KeyError, match=f"{why}: the online nodes are 0-1,16-17"):
            lookup(node_id)
    with pytest.raises(KeyError, match="no entry 5: expected one of 0-1,16-17"):
        machine.nodes[5]
    assert machine.nodes.get(5) is None


def unplug_after(monkeypatch, trigger, unplug):
    """Call `unplug` once, just before the file `trigger` is read."""
    real = sysfs.read
    pending = [unplug]

    def read(path):
        if str(path).endswith(trigger) and pending:
            pending.pop()()
        return real(path)

    monkeypatch.setattr(sysfs, "read", read)


def test_hot_unplug_in_mid_read_reads_again(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    nodes = fake.node_directory(sysfs)

    def unplug():
        (nodes / "online").write_text("0\n")
        (nodes / "has_memory").write_text("0\n")
        (nodes / "node0" / "distance").write_text("10\n")
        shutil.rmtree(nodes / "node1")

    unplug_after(monkeypatch, "node1/cpulist", unplug)
    machine = topology(sysfs)
    assert list(machine.nodes) == [0]
    assert machine.nodes[0].distances == {0: 10}
    assert machine.offline_nodes == (1,)


def test_hot_plug_in_mid_read_reads_again(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    nodes = fake.node_directory(sysfs)

    def plug():  # node 0's distances, already three, no longer match the two online ids
        (nodes / "online").write_text("0-1,7\n")
        (nodes / "node0" / "distance").write_text("10 21 30\n")
        (nodes / "node1" / "distance").write_text("21 10 31\n")
        fake.write_node(sysfs, 7, fake.FakeNode("", "30 31 10", 64, 32))

    unplug_after(monkeypatch, "node0/distance", plug)
    assert topology(sysfs).nodes[1].distances == {0: 21, 1: 10, 7: 31}


def test_node_whose_directory_is_gone_is_left_out(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    node1 = fake.node_directory(sysfs) / "node1"
    unplug_after(monkeypatch, "node1/meminfo", lambda: shutil.rmtree(node1))
    machine = topology(sysfs)
    assert list(machine.nodes) == [0]
    assert machine.nodes[0].distances == {0: 10}


def test_device_gone_while_its_file_is_open(tmp_path, monkeypatch):
    sysfs = fake.two_nodes(tmp_path)
    real = Path.read_text

    def read_text(self, *args, **kwargs):
        if "node1" in self.parts:
            shutil.rmtree(self.parent, ignore_errors=True)
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    assert list(topology(sysfs).nodes) == [0]


# Broken trees


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("node1/distance", "21\n"),
        ("node1/distance", "21 10 20\n"),
        ("node1/distance", "21 ten\n"),
        ("node1/meminfo", "Node 1 MemTotal:       lots kB\n"),
        ("node1/meminfo", "Node 1 MemTotal:       8192 kB\n"),
        ("node1/cpulist", "4-x\n"),
        ("node1/hugepages/hugepages-2048kB/free_hugepages", "-1\n"),
        ("online", "zero\n"),
        ("has_memory", "1-0\n"),
    ],
)
def test_malformed_file_is_named_with_its_content(tmp_path, name, content):
    sysfs = fake.two_nodes(tmp_path)
    fake.write_pools(fake.node_directory(sysfs) / "node1" / "hugepages", {2048: (0, 0, 0)})
    path = fake.node_directory(sysfs) / name
    path.write_text(content)
    with pytest.raises(TopologyError) as caught:
        topology(sysfs)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert str(caught.value).endswith(f"found {content!r}")


@pytest.mark.parametrize("name", ["online", "possible", "node1/distance", "node1/cpulist"])
def test_missing_file_is_named(tmp_path, name):
    sysfs = fake.two_nodes(tmp_path)
    path = fake.node_directory(sysfs) / name
    path.unlink()
    with pytest.raises(TopologyError, match=re.escape(f"cannot read {path}: No such file")):
        topology(sysfs)


def test_malformed_cpuset_is_named(tmp_path):
    path = tmp_path / "proc" / "thread-self" / "status"
    fake.write(path, "Mems_allowed_list:\tall\n")
    with pytest.raises(TopologyError, match=re.escape(f"{path}: expected a list of ids")):
        topology(fake.two_nodes(tmp_path))


def test_no_node_left_is_an_error(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    for node in ("node0", "node1"):
        shutil.rmtree(fake.node_directory(sysfs) / node)
    with pytest.raises(TopologyError, match=r"none of the online nodes \(0-1\) has a directory"):
        topology(sysfs)


def test_unreadable_node_folder_is_an_error(tmp_path):
    sysfs = fake.two_nodes(tmp_path)
    nodes = fake.node_directory(sysfs)
    shutil.rmtree(nodes)
    nodes.symlink_to(nodes)
    (nodes.parent / "cpu").mkdir(exist_ok=True)
    with pytest.raises(TopologyError, match=f"cannot access {re.escape(str(nodes))}: "):
        topology(sysfs)


def test_hidden_sysfs_is_an_error(tmp_path):
    with pytest.raises(OSError, match=r"sys/devices/system/node does not exist.*mount -t sysfs"):
        topology(tmp_path / "sys")
