"""The checks: what they conclude from made-up facts and answers of the kernel; their report."""

import errno
from itertools import product

import pytest

from preflight_fixtures import FACTS, HIDDEN, NODES, report


@pytest.mark.parametrize(
    ("facts", "answers", "name", "part"),
    [
        ({"config_numa": False}, {"query": errno.ENOSYS}, "query", "without CONFIG_NUMA"),
        ({"config_numa": False}, {"mbind": errno.ENOSYS}, "mbind", "without CONFIG_NUMA"),
        ({"config_migration": False}, {"move": errno.ENOSYS}, "move", "without CONFIG_MIGRATION"),
        ({}, {"query": errno.ENOSYS}, "query", "a sandbox answers in the kernel's place"),
        ({}, {"query": errno.EPERM}, "query", "a sandbox answers in the kernel's place"),
        (HIDDEN, {"query": errno.ENOSYS}, "query", "/proc and /sys do not show"),
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


def test_unusual_errno_is_not_blamed_on_the_filter():
    check = report({"seccomp": 2}, mbind=errno.EINVAL).check("mbind")
    assert check.detail == "mbind(2) answers EINVAL: Invalid argument"
    assert "may also come from the seccomp filter" in check.remedy


@pytest.mark.parametrize(
    ("facts", "part"),
    [
        ({"nodes": NODES | {"memory": [3], "allowed": [3]}}, "node 3 is the only one with memory"),
        ({"nodes": NODES | {"allowed": [8]}}, "of nodes 0,8,16 the cpuset allows only 8:"),
        ({"nodes": None}, "the nodes are not known"),
    ],
)
def test_lack_of_another_node_is_a_limit_and_no_refusal(facts, part):
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


@pytest.mark.parametrize("facts", [FACTS, {**HIDDEN, "kernel": "x" * 60}, {"seccomp": 2}])
def test_the_report_fits_80_columns(facts):
    codes = 0, errno.EPERM, errno.ENOSYS, errno.ENOMEM
    for query, mbind in product(codes, codes):
        lines = str(report(facts, query=query, mbind=mbind, frames_shown=False)).splitlines()
        assert max(map(len, lines)) <= 80
        assert lines == [line.rstrip() for line in lines]
