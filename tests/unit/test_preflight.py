"""What a process may do, under real filters, users and namespaces; asking changes nothing."""

import ctypes
import errno
import json
import os
import pickle
import platform
import threading
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from movepages import probes
from movepages.checks import judge
from movepages.facts import read_facts
from support import memory, processes, system, witness
from support.seccomp import forbid

SYS_IOCTL = {"x86_64": 16, "ppc64le": 54, "s390x": 54}.get(platform.machine(), 29)
CONTAINER = (
    system.SYS_MOVE_PAGES,
    system.SYS_GET_MEMPOLICY,
    system.SYS_SET_MEMPOLICY,
    system.SYS_MBIND,
)
ALL_GOOD = probes.Answers(*[0] * 8, frames_shown=True)
NODES = {
    "memory": [0, 8, 16],
    "allowed": [0, 8, 16],
    "memory_only": [16],
    "without_memory": [1],
    "offline": [17],
}
FACTS = read_facts() | {
    "kernel": "6.12.0",
    "config_numa": True,
    "config_migration": True,
    "nodes": NODES,
    "free_bytes": {0: 1 << 30, 8: 2 << 30, 16: 3 << 30},
    "capabilities": dict.fromkeys(("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYS_NICE"), False),
    "dumpable": True,
    "initial_user_namespace": True,
    "seccomp": 0,
    "numa_balancing": 0,
}
HIDDEN = read_facts(Path("/nonexistent"))


def report(facts=None, **answers):
    facts = FACTS | (facts or {})
    return mp.Preflight(tuple(judge(replace(ALL_GOOD, **answers), facts)), facts)


def refused(found):
    return {check.name for check in found.checks if check.status == "no"}


def filtered(answer, *numbers):
    forbid(answer, *numbers)
    return mp.preflight()


def test_what_is_promised_here_is_kept(nodes):
    found = mp.preflight()
    a = memory.anonymous(8 * memory.PAGE)
    memory.touch(a)
    assert found.ok
    assert mp.where(a).absent_bytes == 0
    assert mp.move(a, nodes[0]).failed == 0
    assert found.check("move").status == ("ok" if len(nodes) > 1 else "limited")
    assert found.facts["nodes"]["allowed"] == list(nodes)
    assert found.facts["page_size"] == memory.PAGE
    assert found.has_pagemap_scan == (found.check("pagemap_scan").status == "ok")
    if tuple(map(int, platform.release().split(".")[:2])) >= (6, 7):
        assert found.has_pagemap_scan
    else:
        assert "came with Linux 6.7" in found.check("pagemap_scan").detail


@pytest.mark.parametrize("answer", [errno.EPERM, errno.ENOSYS])
def test_a_filter_without_move_pages(answer):
    found = processes.run_as(None, filtered, answer, system.SYS_MOVE_PAGES)
    assert refused(found) - {"pagemap_scan"} == {"query", "move", "move_all"}
    assert (found.ok, found.can_query, found.can_move, found.can_move_shared) == (False,) * 4
    assert found.can_place
    for name in ("query", "move", "move_all"):
        check = found.check(name)
        assert check.detail == (
            f"move_pages(2) answers {errno.errorcode[answer]}: "
            "the seccomp filter of this process forbids it"
        )
        assert "--security-opt seccomp=PROFILE" in check.remedy
        assert "--cap-add" not in check.remedy
    assert found.facts["seccomp"] == 2
    assert found.facts["no_new_privs"] == 1


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("get_mempolicy", system.SYS_GET_MEMPOLICY),
        ("set_mempolicy", system.SYS_SET_MEMPOLICY),
        ("mbind", system.SYS_MBIND),
    ],
)
@pytest.mark.parametrize("answer", [errno.EPERM, errno.ENOSYS])
def test_a_filter_without_one_policy_call(name, number, answer):
    found = processes.run_as(None, filtered, answer, number)
    assert refused(found) - {"pagemap_scan"} == {name}
    assert found.ok
    assert found.can_place == (name != "mbind")
    assert "the seccomp filter of this process forbids it" in found.check(name).detail
    assert "or with --cap-add SYS_NICE" in found.check(name).remedy


def test_a_filter_as_containers_have_it(need_root):
    """Without all four calls, as an ordinary user."""
    found = processes.run_as(processes.NOBODY, filtered, errno.EPERM, *CONTAINER)
    calls = {"query", "move", "move_all", "get_mempolicy", "set_mempolicy", "mbind"}
    assert refused(found) >= calls
    # The filter and not the lack of a capability is what answers first.
    assert "seccomp" in found.check("move_all").detail


def test_a_filter_without_ioctl():
    found = processes.run_as(None, filtered, errno.EPERM, SYS_IOCTL)
    assert refused(found) == {"pagemap_scan"}
    assert "EPERM, perhaps from the seccomp filter" in found.check("pagemap_scan").detail


def test_an_ordinary_user(need_root):
    found = processes.run_as(processes.NOBODY, mp.preflight)
    assert found.ok
    assert found.can_place
    assert refused(found) - {"pagemap_scan"} == {"move_all"}
    assert "needs the capability CAP_SYS_NICE" in found.check("move_all").detail
    assert found.check("pagemap").status == "limited"
    assert set(found.facts["capabilities"].values()) == {False}
    assert found.facts["initial_user_namespace"] == mp.preflight().facts["initial_user_namespace"]


def test_root(need_root):
    found = mp.preflight()
    assert found.facts["capabilities"]["CAP_SYS_NICE"]
    if found.facts["initial_user_namespace"]:
        assert found.can_move_shared


def as_root_of_its_own_world(dumpable):
    os.setresuid(processes.NOBODY, processes.NOBODY, processes.NOBODY)
    clone_newuser = 0x10000000
    try:
        system.succeed(system.libc.unshare(clone_newuser))
    except OSError as reason:
        return reason
    pr_set_dumpable = 4
    system.succeed(system.libc.prctl(pr_set_dumpable, dumpable, 0, 0, 0))
    return mp.preflight()


@pytest.mark.parametrize("dumpable", [True, False])
def test_root_of_a_user_namespace(need_root, dumpable):
    found = processes.run_as(None, as_root_of_its_own_world, dumpable)
    if not isinstance(found, mp.Preflight):
        pytest.skip(f"needs user namespaces: {found}")
    assert found.ok
    assert found.facts["capabilities"]["CAP_SYS_NICE"]
    assert found.facts["initial_user_namespace"] is False
    assert "this process has that of a user namespace" in found.check("move_all").detail
    pagemap = found.check("pagemap")
    if dumpable:
        assert pagemap.status == "limited"
        assert "CAP_SYS_ADMIN of the whole machine" in pagemap.detail
    else:
        assert pagemap.status == "no"
        assert "is not dumpable" in pagemap.detail
        assert not found.has_pagemap_scan


def policy():
    mode, mask = ctypes.c_int(), system.node_mask()
    where = ctypes.byref(mode)
    system.syscall(system.SYS_GET_MEMPOLICY, where, mask, system.MAX_NODES + 1, None, 0)
    return mode.value, list(mask)


def open_files():
    return sorted(os.listdir("/proc/self/fd"))


def test_asking_touches_and_moves_nothing(nodes):
    a = memory.anonymous(32 * memory.PAGE)
    memory.touch(a[: a.nbytes // 2])
    there = witness.present(memory.pages_of(a))
    before = witness.nodes_of(memory.pages_of(a)[there])
    files = open_files()
    for _ in range(20):
        mp.preflight()
    assert np.array_equal(witness.present(memory.pages_of(a)), there)
    assert np.array_equal(witness.nodes_of(memory.pages_of(a)[there]), before)
    assert open_files() == files


def mapped_bytes():
    return int(Path("/proc/self/statm").read_text().split()[0]) * memory.PAGE


def test_the_scratch_memory_is_given_back():
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


def test_the_filter_of_a_thread_is_its_own():
    def in_a_thread():
        found = []
        thread = threading.Thread(
            target=lambda: found.append(filtered(errno.EPERM, system.SYS_MBIND))
        )
        thread.start()
        thread.join()
        return found[0], mp.preflight()

    inside, outside = processes.run_as(None, in_a_thread)
    assert "seccomp filter" in inside.check("mbind").detail
    assert outside.can_place
    assert outside.facts["seccomp"] != 2 or mp.preflight().facts["seccomp"] == 2


def test_plain_data():
    found = mp.preflight()
    data = json.loads(json.dumps(found.as_dict()))
    assert data["ok"] is found.ok
    assert [check["name"] for check in data["checks"]] == [check.name for check in found.checks]
    assert set(data["facts"]) == set(found.facts)
    assert data["facts"]["free_bytes"].keys() == {str(i) for i in mp.topology().allowed_nodes}
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(pickle.loads(pickle.dumps(found)))


def test_a_check_that_is_none():
    with pytest.raises(KeyError, match="no check 'moov': there are query, move, "):
        mp.preflight().check("moov")


@pytest.mark.parametrize(
    ("facts", "answers", "name", "part"),
    [
        ({"config_numa": False}, {"query": errno.ENOSYS}, "query", "without CONFIG_NUMA"),
        ({"config_numa": False}, {"mbind": errno.ENOSYS}, "mbind", "without CONFIG_NUMA"),
        ({"config_migration": False}, {"move": errno.ENOSYS}, "move", "without CONFIG_MIGRATION"),
        ({}, {"query": errno.ENOSYS}, "query", "a sandbox answers in the kernel's place"),
        ({}, {"query": errno.EPERM}, "query", "a sandbox answers in the kernel's place"),
        (HIDDEN, {"query": errno.ENOSYS}, "query", "/proc and /sys do not tell"),
        (HIDDEN, {"query": errno.EPERM}, "query", "a sandbox answers in the kernel's place"),
        ({}, {"move": errno.ENOMEM}, "move", "ENOMEM: Cannot allocate memory"),
        ({}, {"move_all": errno.EPERM}, "move_all", "needs the capability CAP_SYS_NICE"),
        ({}, {"pagemap": errno.EACCES, "scan": errno.EACCES}, "pagemap", "Permission denied"),
        ({}, {"pagemap": errno.EACCES, "scan": errno.EACCES}, "pagemap_scan", "needs /proc/self"),
        ({}, {"scan": errno.EINVAL}, "pagemap_scan", "answers EINVAL"),
    ],
)
def test_the_cause_of_each_refusal(facts, answers, name, part):
    check = report(facts, **answers).check(name)
    assert check.status == "no"
    assert part in check.detail
    assert check.remedy


def test_an_errno_that_no_filter_is_known_to_give_is_not_laid_at_its_door():
    check = report({"seccomp": 2}, mbind=errno.EINVAL).check("mbind")
    assert check.detail == "mbind(2) answers EINVAL: Invalid argument"
    assert "may also be what answers" in check.remedy


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({"nodes": NODES | {"memory": [3], "allowed": [3]}}, "node 3 is the only one with memory"),
        ({"nodes": NODES | {"allowed": [8]}}, "of nodes 0,8,16 the cpuset allows only 8:"),
        ({"nodes": None}, "the nodes are not known"),
    ],
)
def test_nowhere_to_move_to_is_a_limit_and_no_refusal(facts, part):
    found = report(facts)
    assert found.check("move").status == "limited"
    assert part in found.check("move").detail
    assert found.ok


def test_balancing_on_kernels_old_and_new():
    def detail(kernel, **answers):
        check = report({"numa_balancing": 1, "kernel": kernel}, **answers).check("numa_balancing")
        assert check.status == "limited"
        return check.detail

    assert detail("6.6.0") == "on: the kernel may move pages by itself"
    assert "pages of other processes that it watches" in detail("6.1.0-56-amd64")
    assert "6.6 pages that it watches" in detail("5.10.1", get_mempolicy=errno.EPERM)
    assert report({"numa_balancing": None}).check("numa_balancing").status == "ok"


def test_a_machine_whose_system_calls_have_unknown_numbers(monkeypatch):
    monkeypatch.setattr(probes, "_NUMBERS", {})
    found = mp.preflight()
    assert found.ok
    assert found.check("query").status == "limited"
    assert "not asked" in found.check("query").detail
    assert not found.can_place


@pytest.mark.parametrize("facts", [FACTS, HIDDEN | {"kernel": "x" * 60}, {"seccomp": 2}])
def test_the_report_fits_80_columns(facts):
    codes = 0, None, errno.EPERM, errno.ENOSYS, errno.ENOMEM
    for query, mbind in product(codes, codes):
        lines = str(report(facts, query=query, mbind=mbind, frames_shown=False)).splitlines()
        assert max(map(len, lines)) <= 80
        assert lines == [line.rstrip() for line in lines]


def test_all_hidden():
    assert HIDDEN["kernel"] == platform.release()
    plain = {"kernel", "machine", "page_size", "dumpable", "container_hints"}
    plain |= {"transparent_huge_pages"}
    assert {name for name, value in HIDDEN.items() if value is not None} == plain
    text = str(report(HIDDEN))
    assert "not known: /sys does not show them" in text
    assert "capabilities not known" in text


def test_facts_of_a_container(tmp_path):
    files = {
        "proc/self/status": "Name:\tx\nNoNewPrivs:\t1\nCapEff:\t0000000000800000\nSeccomp:\t2\n",
        "proc/self/uid_map": "         0       1000          1\n",
        "proc/self/cgroup": "3:cpuset:/x\n0::/kubepods.slice/one/two\n",
        "proc/vmstat": "pgfault 1\npgmigrate_success 0\n",
        "proc/meminfo": "SwapTotal:        2048 kB\n",
        "proc/sys/kernel/yama/ptrace_scope": "1\n",
        "proc/sys/kernel/numa_balancing": "1\n",
        "run/.containerenv": "",
        "sys/fs/cgroup/kubepods.slice/cpuset.mems.effective": "0,8\n",
        "sys/fs/cgroup/cpuset.mems.effective": "0-16\n",
        "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
        "sys/kernel/mm/transparent_hugepage/defrag": "always defer [defer+madvise] never\n",
        "sys/kernel/mm/transparent_hugepage/hpage_pmd_size": "2097152\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    facts = read_facts(tmp_path)
    expected = {
        "config_numa": False,
        "config_migration": True,
        "capabilities": {"CAP_SYS_PTRACE": False, "CAP_SYS_ADMIN": False, "CAP_SYS_NICE": True},
        "initial_user_namespace": False,
        "seccomp": 2,
        "no_new_privs": 1,
        "ptrace_scope": 1,
        "container_hints": ["/run/.containerenv", "'kubepods' in /proc/self/cgroup"],
        "transparent_huge_pages": {
            "enabled": "madvise", "defrag": "defer+madvise", "bytes": 2 << 20,
        },
        "numa_balancing": 1,
        "cpuset_mems_effective": [0, 8],
        "swap_bytes": 2 << 20,
        "nodes": None,
    }  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    text = str(report(facts))
    assert "CAP_SYS_NICE, not the initial user namespace, seccomp filter" in text
    assert "perhaps, by /run/.containerenv" in text
