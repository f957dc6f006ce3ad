"""Report which operations this process can perform, why the others fail, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import Any

from ..results.plain import by_node
from .checks import Check, judge
from .facts import Facts, read_facts
from .probes import ask
from .report import describe, report, with_advice


@dataclass(frozen=True, repr=False)
class Preflight:
    """Which operations this process can perform here; `str` gives a report of 80 columns.

    Attributes
    ----------
    checks : tuple of Check
        One for each operation tried: query, move, move_all, get_mempolicy, mbind, set_mempolicy,
        pagemap, pagemap_scan, numa_balancing; and the engine in use.
    facts : dict
        Kernel, nodes, privileges and memory settings. A fact that this process cannot read is None.
    engine : {'move_pages', 'policy', 'proc'}
        How this process finds and moves pages. 'move_pages' uses move_pages(2). In a sandbox that
        refuses this call, 'policy' uses get_mempolicy(2) and mbind(2). If these are refused too,
        'proc' finds pages by /proc and moves none.
    """

    checks: tuple[Check, ...]
    facts: Facts = field(hash=False)
    engine: str = "move_pages"

    def check(self, name: str) -> Check:
        """Return the check with this name; for an unknown name, raise a KeyError listing all."""
        found = {check.name: check for check in self.checks}
        if name not in found:
            raise KeyError(f"no check {name!r}: the checks are {', '.join(found)}")
        return found[name]

    @property
    def ok(self) -> bool:
        """Whether this process can query and move its pages."""
        return self.can_query and self.can_move

    @property
    def can_query(self) -> bool:
        """Whether this process can query where its pages are; at least in part, by /proc alone."""
        return self.check("query").status != "no" or self.engine != "move_pages"

    @property
    def can_move(self) -> bool:
        """Whether this process can move its pages; also True if there is only one node."""
        by_policy = self.engine == "policy" and self.can_place
        return self.check("move").status != "no" or by_policy

    @property
    def can_move_shared(self) -> bool:
        """Whether MPOL_MF_MOVE_ALL is allowed, which moves pages shared with other processes."""
        if self.engine != "policy":
            return self.check("move_all").status == "ok"
        held = (self.facts["capabilities"] or {}).get("CAP_SYS_NICE", False)
        return self.can_place and held and self.facts["initial_user_namespace"] is not False

    @property
    def can_place(self) -> bool:
        """Whether mbind(2) can bind memory to nodes before it is touched."""
        return self.check("mbind").status == "ok"

    @property
    def has_pagemap_scan(self) -> bool:
        """Whether PAGEMAP_SCAN can read page tables by ranges, for fast queries of huge pages."""
        return self.check("pagemap_scan").status == "ok"

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data for `json.dumps`; sizes are in bytes."""
        free = self.facts["free_bytes"]
        as_strings = None if free is None else by_node(free)
        names = "ok", "can_query", "can_move", "can_move_shared", "can_place", "has_pagemap_scan"
        return {
            "engine": self.engine,
            **{name: getattr(self, name) for name in names},
            "checks": [check.as_dict() for check in self.checks],
            "facts": {**self.facts, "free_bytes": as_strings},
        }

    def __repr__(self) -> str:
        doubts = [f"{check.name} {check.status}" for check in self.checks if check.status != "ok"]
        found = ", ".join(doubts) or "every operation works"
        return f"<Preflight {'ok' if self.ok else 'not ok'}: {found}>"

    def __str__(self) -> str:
        return report(self.checks, self.facts)

    def _repr_html_(self) -> str:
        from ..display.html import table_html

        checks = [
            [escape(each) for each in (check.status, check.name, check.detail, advice)]
            for check, advice in with_advice(self.checks)
        ]
        facts = [[escape(title), escape(text)] for title, text in describe(self.facts)]
        found = table_html(["", "operation", "found", "what to do"], "llll", checks)
        return found + table_html(["", ""], "ll", facts)


def preflight() -> Preflight:
    """Report which page operations this process can perform here, and why the others fail.

    Each system call is tried separately on scratch memory: no memory of the caller is moved,
    touched or changed. The results apply to the calling thread at this moment. The call takes a few
    milliseconds.

    Returns
    -------
    Preflight

    Notes
    -----
    A seccomp filter can kill a process at a call that it forbids; `preflight` then ends the
    process. The default profiles of container runtimes do not kill: the call fails with an error.

    `preflight` finds out whether an operation works by trying it. It infers why an operation fails
    from answers that the kernel itself never gives, and from /proc/self/status, /proc/vmstat and
    sysfs. Signs of a container are only hints.
    Source: move_pages(2), get_mempolicy(2), mbind(2), seccomp(2), and
    Documentation/admin-guide/mm/pagemap.rst.

    Examples
    --------
    >>> report = preflight()
    >>> report.can_query
    True
    >>> reasons = [check.detail for check in report.checks if check.status == "no"]
    """
    facts, answers = read_facts(), ask()
    return Preflight(tuple(judge(answers, facts)), facts, answers.engine)
