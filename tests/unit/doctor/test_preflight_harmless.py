"""preflight() changes nothing: no page, no file, no policy, no memory."""

import ctypes
import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages.doctor import probes
from support import memory, processes, system, witness


def policy():
    mode, mask = ctypes.c_int(), system.node_mask()
    where = ctypes.byref(mode)
    system.syscall(system.SYS_GET_MEMPOLICY, where, mask, system.MAX_NODES + 1, None, 0)
    return mode.value, list(mask)


def open_files():
    return sorted(os.listdir("/proc/self/fd"))


def test_preflight_touches_and_moves_nothing(nodes):
    a = memory.anonymous(32 * memory.PAGE)
    memory.touch(a[: a.nbytes // 2])
    there = witness.present(memory.pages_of(a))
    before = witness.nodes_of(memory.pages_of(a)[there])
    # Files of an earlier test could close meanwhile.
    gc.collect()
    files = open_files()
    for _ in range(20):
        mp.preflight()
    assert np.array_equal(witness.present(memory.pages_of(a)), there)
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)[there]), before)
    assert open_files() == files


def mapped_bytes():
    return int(Path("/proc/self/statm").read_text().split()[0]) * memory.PAGE


def test_scratch_memory_is_freed():
    probes.ask()
    before = mapped_bytes()
    for _ in range(500):
        probes.ask()
    assert mapped_bytes() - before < 500 * memory.PAGE


@pytest.mark.parametrize("mode", [system.MPOL_DEFAULT, system.MPOL_INTERLEAVE, system.MPOL_BIND])
def test_the_policy_of_the_task_stays(nodes, mode):
    def before_and_after():
        mask = system.node_mask(*nodes) if mode != system.MPOL_DEFAULT else None
        system.syscall(system.SYS_SET_MEMPOLICY, mode, mask, system.MAX_NODES + 1 if mask else 0)
        before = policy()
        found = mp.preflight()
        return before, policy(), found

    before, after, found = processes.run_as(None, before_and_after)
    assert before == after
    assert before[0] == mode
    assert found.check("set_mempolicy").status == "ok"


def test_in_many_threads():
    found = []
    threads = [threading.Thread(target=lambda: found.append(mp.preflight())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.checks for each in found}) == 1
