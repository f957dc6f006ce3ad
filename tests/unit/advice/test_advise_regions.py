"""Regions of processes, and what their mappings tell."""

import mmap
import os

import numpy as np
import pytest

import movepages as mp
import movepages.advice.mappings as mappings_module
from advice_fixtures import MIB, filled
from movepages.advice.mappings import Mappings
from movepages.advice.subjects import of_object, of_process
from support import memory, nodes, processes
from support.policies import thread_has

pytestmark = pytest.mark.skipif(0 not in mp.topology().allowed_nodes, reason="needs node 0")


def told_of(obj):
    mappings = Mappings(0, mp.topology().memory_nodes)
    return [mappings.told_of(each) for each in of_object(obj)]


def test_regions_of_a_process(two):
    held = []

    def hold():
        held.append(filled(3 * MIB))
        return held[0].ctypes.data

    with processes.child(hold) as child:
        address = child.result
        found = mp.advise(pid=child.pid, cpus=[2])
        names = [each.name for each in found.findings]
        assert f"anonymous {address:#x}" in names
        assert names[-1].endswith(" smaller regions")
        regions = mp.process(child.pid).regions()
        code = regions[np.char.find(regions["permissions"], "x") >= 0]
        assert not {f"{each:#x}" for each in code["address"]} & {n.split()[-1] for n in names}
        assert found.pid == child.pid
        # A file that an earlier test left mapped read-only would be told to move by its address.
        files = any(each._subject.read_only for each in found.findings if each.verdict == "move")
        if {each.verdict for each in found.findings} == {"move", "leave"} and not files:
            assert found.commands == (f"movepages localize {child.pid} --node 1 --memory-only",)


def test_memory_of_another_process_needs_its_threads(two):
    with processes.child(lambda: filled(2 * MIB).ctypes.data) as child:
        region = mp.Region(child.result, 2 * MIB, child.pid)
        with pytest.raises(ValueError, match=rf"advise\(pid={child.pid}\)"):
            mp.advise(region)
        found = mp.advise(id, region)
    assert found.result == id(region)
    assert f"advise(pid={child.pid})" in found.notes[0]


def test_small_regions_of_a_process_count_too(two):
    # A mapping of this process that changes each time it is read counts as empty, so that a second
    # reading may differ by hundreds of MiB.
    regions = mp.process().regions()
    found = of_process(os.getpid(), regions)
    held = sum(sum(each.placement.bytes_per_node.values()) for each in found)
    code = np.char.find(regions["permissions"], "x") >= 0
    assert held <= regions[~code]["bytes"].sum() + 64 * MIB
    assert held >= 0.5 * regions[~code]["bytes"].sum()
    small = regions[(regions["permissions"] == "rw-p") & (regions["bytes"].sum(axis=1) < MIB)]
    together = sum(found[-1].placement.bytes_per_node.values())
    assert together >= 0.5 * small["bytes"].sum() > 0


def test_constants_of_programs_are_left_out_and_files_are_not(two, tmp_path):
    file, program = tmp_path / "file", tmp_path / "program"
    maps = []
    for path in (file, program):
        path.write_bytes(bytes(2 * MIB))
        with open(path, "rb") as opened:
            maps.append(mmap.mmap(opened.fileno(), 2 * MIB, prot=mmap.PROT_READ))
            if path is program:
                code = mmap.PROT_READ | mmap.PROT_EXEC
                maps.append(mmap.mmap(opened.fileno(), 2 * MIB, prot=code))
    for each in maps:
        assert sum(each[:: memory.PAGE]) == 0
    found = {each.name.split()[0]: each for each in of_process(os.getpid(), mp.process().regions())}
    assert found["file"].read_only
    assert "program" not in found
    advice = mp.advise(pid=os.getpid(), cpus=[0, 2])
    assert {each.verdict for each in advice.findings} <= {"leave", "move", "bind"}
    for each in maps:
        each.close()


def test_balancing_moves_private_memory_without_a_policy(two):
    plain = memory.anonymous(2 * MIB)
    memory.touch(plain)
    for mode, balanced in ((mp.PolicyMode.DEFAULT, True), (mp.PolicyMode.LOCAL, False)):
        with thread_has(mode):
            (found,) = told_of(plain)
        assert found.balanced == balanced
    bound = filled(2 * MIB)
    mp.bind(bound, nodes.allowed()[0])
    (found,) = told_of(bound)
    assert not found.balanced


def test_pages_mapped_by_a_child_are_told(two):
    memory_map = mmap.mmap(-1, 2 * MIB)
    a = np.frombuffer(memory_map, np.uint8)
    a[:: memory.PAGE] = 1
    assert told_of(a)[0].mapmax == 1
    with processes.child(touch, a) as child:
        assert child.result == 1
        assert told_of(a)[0].mapmax == 2


def touch(a):
    return int(a[:: memory.PAGE].min())


def test_mappings_are_read_only_where_something_may_move(two, monkeypatch):
    monkeypatch.setattr(mappings_module, "regions_of", lambda *_: 1 / 0)
    assert mp.advise(filled(4 * MIB), cpus=[0]).ok
    with pytest.raises(ZeroDivisionError):
        mp.advise(filled(4 * MIB), cpus=[2])
