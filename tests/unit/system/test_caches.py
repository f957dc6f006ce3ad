"""Caches from sysfs, limits of control groups, and the model of the CPUs."""

import os

import pytest

from movepages.system.caches import Caches, last_level_caches
from movepages.system.machine_key import cpu_model, machine_key
from movepages.system.memory_limit import cgroup_room
from movepages.system.topology_reader import read_topology

MIB = 1 << 20


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def cache(level, size, shared, kind="Unified", line=64):
    return {
        "level": level,
        "size": size,
        "shared_cpu_list": shared,
        "type": kind,
        "coherency_line_size": line,
    }


@pytest.fixture
def four_cpus(tmp_path):
    """Two caches of 32 MiB, each shared by two CPUs."""
    for cpu in range(4):
        shared = "0-1" if cpu < 2 else "2-3"
        folder = tmp_path / f"cpu{cpu}" / "cache"
        write(folder / "index0", **cache(1, "32K", cpu, "Data"))
        write(folder / "index1", **cache(1, "64K", cpu, "Instruction"))
        write(folder / "index2", **cache(2, "1024K", cpu))
        write(folder / "index3", **cache(3, "32M", shared))
        write(folder, uevent="")
    return tmp_path


def test_each_cache_counts_once(four_cpus):
    assert last_level_caches(range(4), four_cpus) == Caches(64 * MIB, 32 * MIB, 64)
    assert last_level_caches([1, 0], four_cpus) == Caches(32 * MIB, 32 * MIB, 64)
    assert last_level_caches([1, 2], four_cpus) == Caches(64 * MIB, 32 * MIB, 64)


def test_machines_that_do_not_tell(tmp_path, four_cpus):
    assert last_level_caches([], four_cpus) == Caches()
    assert last_level_caches([7], four_cpus) == Caches()
    write(four_cpus / "cpu0/cache/index3", size="large")
    assert last_level_caches([0], four_cpus) == Caches()
    (four_cpus / "cpu2/cache/index3/level").unlink()
    assert last_level_caches([2], four_cpus) == Caches()


def test_this_machine():
    found = last_level_caches(os.sched_getaffinity(0))
    assert found.total >= found.largest > 0
    assert found.line & (found.line - 1) == 0


def groups(root, path):
    write(root / "proc/self", cgroup=f"0::{path}")
    top = root / "sys/fs/cgroup"
    write(top / "a/b", memory__max="max", memory__current=5 * MIB, memory__stat="inactive_file 1")
    write(
        top / "a",
        memory__max=100 * MIB,
        memory__current=60 * MIB,
        memory__stat=f"anon 7\ninactive_file {20 * MIB}\nactive_file 3",
    )
    return top


def test_the_least_limit_counts(tmp_path):
    top = groups(tmp_path, "/a/b")
    assert cgroup_room(tmp_path) == 60 * MIB
    write(top / "a/b", memory__max=9 * MIB)
    assert cgroup_room(tmp_path) == 4 * MIB + 1
    write(top / "a/b", memory__max=1 * MIB)
    assert cgroup_room(tmp_path) == 0


@pytest.mark.parametrize("path", ["/", "/elsewhere", "/../outside"])
def test_no_limit(tmp_path, path):
    groups(tmp_path, path)
    assert cgroup_room(tmp_path) is None


def test_no_control_groups(tmp_path):
    assert cgroup_room(tmp_path) is None
    write(tmp_path / "proc/self", cgroup="4:memory:/a")
    assert cgroup_room(tmp_path) is None


def test_models_of_cpus():
    assert cpu_model("processor\t: 0\nmodel name\t: AMD EPYC 9654 \n") == "AMD EPYC 9654"
    assert cpu_model("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n").startswith("POWER9")
    arm = "processor : 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\nprocessor : 1\n"
    assert cpu_model(arm).endswith(" 0x41 0xd0c")
    assert cpu_model("") == os.uname().machine


def test_the_key_of_this_machine():
    key = machine_key(read_topology())
    assert key == machine_key(read_topology())
    assert key.kernel == os.uname().release
    assert all(key)
