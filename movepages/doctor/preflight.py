"""preflight(): what this process may do with pages here, what stands in the way, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .checks import Check, judge
from .facts import read_facts
from .probes import ask
from .report import report


@dataclass(frozen=True)
class Preflight:
    """What this process may do here, by trial; `str` of it is a report of 80 columns.

    Attributes
    ----------
    checks : tuple of Check
        One for each thing tried: query, move, move_all, get_mempolicy, mbind, set_mempolicy,
        pagemap, pagemap_scan, numa_balancing.
    facts : Mapping of str
        Kernel, nodes, privileges and memory settings as plain data; None for what is hidden here.
    """

    checks: tuple[Check, ...]
    facts: Mapping[str, Any] = field(hash=False)

    def check(self, name: str) -> Check:
        """Return one check by its name; KeyError, saying which there are, for another."""
        found = {check.name: check for check in self.checks}
        if name not in found:
            raise KeyError(f"no check {name!r}: there are {', '.join(found)}")
        return found[name]

    @property
    def ok(self) -> bool:
        """Whether all that is needed to query and to move pages of this process works."""
        return self.can_query and self.can_move

    @property
    def can_query(self) -> bool:
        """Whether this process may ask where its pages are."""
        return self.check("query").status != "no"

    @property
    def can_move(self) -> bool:
        """Whether this process may move its pages; also True where one node is all there is."""
        return self.check("move").status != "no"

    @property
    def can_move_shared(self) -> bool:
        """Whether pages that other processes use too may be moved, by MPOL_MF_MOVE_ALL."""
        return self.check("move_all").status == "ok"

    @property
    def can_place(self) -> bool:
        """Whether memory can be bound to nodes before it is touched, by mbind(2)."""
        return self.check("mbind").status == "ok"

    @property
    def has_pagemap_scan(self) -> bool:
        """Whether page tables can be read by ranges, which makes looking at huge pages fast."""
        return self.check("pagemap_scan").status == "ok"

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, ready for `json.dumps`; sizes in bytes."""
        free = self.facts["free_bytes"]
        as_strings = None if free is None else {str(node): size for node, size in free.items()}
        names = "ok", "can_query", "can_move", "can_move_shared", "can_place", "has_pagemap_scan"
        return {
            **{name: getattr(self, name) for name in names},
            "checks": [asdict(check) for check in self.checks],
            "facts": {**self.facts, "free_bytes": as_strings},
        }

    def __str__(self) -> str:
        return report(self.checks, self.facts)


def preflight() -> Preflight:
    """Find out what this process may do with pages here, and why not what it may not.

    Every system call is tried by itself, on scratch memory: nothing of the caller's is moved,
    touched or changed. The answers hold for the calling thread, now. It takes a few milliseconds.

    Returns
    -------
    Preflight

    Notes
    -----
    A seccomp filter that kills instead of refusing ends the process at the first call it forbids,
    here as anywhere else; container runtimes' default profiles refuse.
    What was tried is known. Why it was refused is inferred from what the kernel itself would never
    answer, and from /proc/self/status, /proc/vmstat and sysfs. Container marks are only hints.
    Source: move_pages(2), get_mempolicy(2), mbind(2), seccomp(2), and
    Documentation/admin-guide/mm/pagemap.rst.

    Examples
    --------
    >>> report = preflight()
    >>> report.can_query
    True
    >>> reasons = [check.detail for check in report.checks if check.status == "no"]
    """
    facts = read_facts()
    return Preflight(tuple(judge(ask(), facts)), facts)
