"""What a process may do under real filters, users and namespaces."""

import copy
import errno
import json
import os
import pickle
import platform
import threading

import pytest

import movepages as mp
from support import memory, processes, system
from support.seccomp import forbid

SYS_IOCTL = {"x86_64": 16, "ppc64le": 54, "s390x": 54}.get(platform.machine(), 29)
CONTAINER = (
    system.SYS_MOVE_PAGES,
    system.SYS_GET_MEMPOLICY,
    system.SYS_SET_MEMPOLICY,
    system.SYS_MBIND,
)


def refused(found):
    return {check.name for check in found.checks if check.status == "no"}


def filtered(answer, *numbers):
    forbid(answer, *numbers)
    return mp.preflight()


def test_preflight_agrees_with_real_calls(nodes):
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
    # get_mempolicy(2) and mbind(2) take its place.
    assert (found.engine, found.check("engine").status) == ("policy", "limited")
    assert (found.ok, found.can_query, found.can_move, found.can_place) == (True,) * 4
    capabilities = found.facts["capabilities"]
    assert found.can_move_shared == (capabilities and capabilities["CAP_SYS_NICE"])
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
    """All four calls are forbidden, and the user is an ordinary one."""
    found = processes.run_as(processes.NOBODY, filtered, errno.EPERM, *CONTAINER)
    calls = {"query", "move", "move_all", "get_mempolicy", "set_mempolicy", "mbind"}
    assert refused(found) >= calls
    assert (found.engine, found.ok, found.can_query, found.can_move) == ("proc", False, True, False)
    # The filter answers first, before a capability is missed.
    assert "seccomp" in found.check("move_all").detail


def test_a_filter_without_ioctl():
    found = processes.run_as(None, filtered, errno.EPERM, SYS_IOCTL)
    assert refused(found) == {"pagemap_scan"}
    assert "EPERM, perhaps from the seccomp filter" in found.check("pagemap_scan").detail


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
    assert "this process has it only in another one" in found.check("move_all").detail
    pagemap = found.check("pagemap")
    if dumpable:
        assert pagemap.status == "limited"
        assert "CAP_SYS_ADMIN in the initial user namespace" in pagemap.detail
    else:
        assert pagemap.status == "no"
        assert "is not dumpable" in pagemap.detail
        assert not found.has_pagemap_scan


def test_plain_data():
    found = mp.preflight()
    data = json.loads(json.dumps(found.as_dict()))
    assert data["ok"] is found.ok
    assert [check["name"] for check in data["checks"]] == [check.name for check in found.checks]
    assert set(data["facts"]) == set(found.facts)
    assert data["facts"]["free_bytes"].keys() == {str(i) for i in mp.topology().allowed_nodes}
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(pickle.loads(pickle.dumps(found)))


def test_facts_are_a_plain_dict():
    facts = mp.preflight().facts
    assert type(facts) is dict
    assert json.loads(json.dumps(facts))["kernel"] == os.uname().release
    assert copy.deepcopy(facts) == facts


def test_unknown_check():
    with pytest.raises(KeyError, match="no check 'moov': the checks are query, move, "):
        mp.preflight().check("moov")
