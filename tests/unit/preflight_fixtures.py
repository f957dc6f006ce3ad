"""Preflight reports for made-up facts and answers."""

from dataclasses import replace
from pathlib import Path

import movepages as mp
from movepages.doctor import probes
from movepages.doctor.checks import judge
from movepages.doctor.facts import read_facts

ALL_GOOD = probes.Answers(*[0] * 8, frames_shown=True)
NODES = {
    "memory": [0, 8, 16],
    "allowed": [0, 8, 16],
    "memory_only": [16],
    "without_memory": [1],
    "offline": [17],
}
FACTS = dict(
    read_facts(),
    kernel="6.12.0",
    config_numa=True,
    config_migration=True,
    nodes=NODES,
    free_bytes={0: 1 << 30, 8: 2 << 30, 16: 3 << 30},
    capabilities=dict.fromkeys(("CAP_SYS_PTRACE", "CAP_SYS_ADMIN", "CAP_SYS_NICE"), False),
    dumpable=True,
    initial_user_namespace=True,
    seccomp=0,
    numa_balancing=0,
)
HIDDEN = read_facts(Path("/nonexistent"))


def report(facts=None, **answers):
    facts = {**FACTS, **(facts or {})}
    return mp.Preflight(tuple(judge(replace(ALL_GOOD, **answers), facts)), facts)
