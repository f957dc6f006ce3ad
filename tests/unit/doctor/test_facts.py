"""Facts of a machine where all is hidden and of a container, and how the report shows them."""

import platform

import pytest

from movepages.doctor.facts import read_facts
from preflight_fixtures import HIDDEN, report


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
            "enabled": "madvise", "defrag": "defer+madvise", "bytes": 2 << 20, "sizes": None,
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


@pytest.fixture
def sizes_of_huge_pages(tmp_path):
    """Return a function that makes a tree with sizes of huge pages, and returns its facts."""

    def make(overall, sizes):
        thp = tmp_path / "sys/kernel/mm/transparent_hugepage"
        for size, mode in sizes.items():
            (thp / f"hugepages-{size}kB").mkdir(parents=True)
            words = "always inherit madvise never".replace(mode, f"[{mode}]")
            (thp / f"hugepages-{size}kB/enabled").write_text(words + "\n")
        (thp / "khugepaged").mkdir()
        (thp / "hpage_pmd_size").write_text("2097152\n")
        (thp / "defrag").write_text("always defer defer+madvise [madvise] never\n")
        words = "always madvise never".replace(overall, f"[{overall}]")
        (thp / "enabled").write_text(words + "\n")
        return read_facts(tmp_path)

    return make


@pytest.mark.parametrize(
    ("overall", "sizes", "on", "told"),
    [
        ("always", {2048: "inherit", 64: "never"}, {2 << 20: "always"}, ""),
        (
            "madvise",
            {1024: "inherit", 64: "always", 16: "never", 2048: "inherit"},
            {64 << 10: "always", 1 << 20: "madvise", 2 << 20: "madvise"},
            "also of 64 KiB (always), 1 MiB (madvise)",
        ),
        ("never", {2048: "inherit", 64: "inherit", 32: "madvise"}, {32 << 10: "madvise"},
         "also of 32 KiB (madvise)"),
    ],
)  # fmt: skip
def test_sizes_of_huge_pages_that_are_on(sizes_of_huge_pages, overall, sizes, on, told):
    facts = sizes_of_huge_pages(overall, sizes)
    assert facts["transparent_huge_pages"]["sizes"] == on
    assert list(facts["transparent_huge_pages"]["sizes"]) == sorted(on)
    text = " ".join(
        str(report({"transparent_huge_pages": facts["transparent_huge_pages"]})).split()
    )
    assert told in text
    assert ("also of" in text) == bool(told)
    assert f"transparent huge pages of 2 MiB: {overall}, defrag madvise" in text


def test_size_without_a_setting_is_left_out(sizes_of_huge_pages, tmp_path):
    (tmp_path / "sys/kernel/mm/transparent_hugepage/hugepages-128kB").mkdir(parents=True)
    facts = sizes_of_huge_pages("always", {64: "always"})
    assert facts["transparent_huge_pages"]["sizes"] == {64 << 10: "always"}
