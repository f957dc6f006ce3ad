"""Facts read where all is hidden and of a container, and how the report tells them."""

import platform

from preflight_fixtures import HIDDEN, report

from movepages.facts import read_facts


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
