"""Localization: what bringing processes together with their memory did, or would do."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results.outcome import MoveResult
from ..results.status import PageStatus
from ..units import format_bytes, format_ids, format_pages
from .affinity import ThreadCpus
from .locality import Locality

FROM_OUTSIDE = "It stays as it is: only the process itself can set it, by set_mempolicy(2)."
# Pages that are not in memory, as most of the addresses of a process are not.
_ABSENT = (PageStatus.ENOENT, PageStatus.EFAULT)


@dataclass(frozen=True, kw_only=True)
class Localization:
    """What `Process.localize` did, or with ``dry_run`` would do.

    Attributes
    ----------
    node : int
        The node that the memory was moved to.
    cpus : tuple of int
        The CPUs that the threads may run on now.
    dry_run : bool
        Whether nothing was changed.
    pids : tuple of int
        The processes.
    before, after : Locality
        Memory on each node, and how much of it is near the threads. With ``dry_run``, `after` is
        what is expected.
    threads : tuple of ThreadCpus
        Every thread, with its CPUs before and after.
    results : Mapping of int to MoveResult
        The result of the move of each process, by pid; empty with ``dry_run``.
    expected_bytes : int
        With ``dry_run``: bytes that would move.
    policies : Mapping of str to int
        Bytes of memory under each policy for new pages, such as "default" or "interleave:0-1". Only
        a process itself can set its policies.
    problems : tuple of str
        What was left undone and why, in sentences.
    """

    node: int
    cpus: tuple[int, ...]
    dry_run: bool
    pids: tuple[int, ...]
    before: Locality
    after: Locality
    threads: tuple[ThreadCpus, ...] = ()
    results: Mapping[int, MoveResult] = field(default_factory=dict)
    expected_bytes: int = 0
    policies: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def changed(self) -> int:
        """Threads that got other CPUs, or with ``dry_run`` would get them."""
        return sum(each.before != each.after for each in self.threads)

    @property
    def moved(self) -> int:
        """Pages that moved."""
        return sum(each.moved for each in self.results.values())

    @property
    def failures(self) -> dict[PageStatus, int]:
        """Pages in memory that could not be moved, by reason."""
        found: dict[PageStatus, int] = {}
        for result in self.results.values():
            for status, count in result.failures.items():
                if status not in _ABSENT:
                    found[status] = found.get(status, 0) + count
        return found

    @property
    def ok(self) -> bool:
        """Whether all was done, or with ``dry_run`` could be: no problem, no failed page."""
        return not (self.problems or self.failures)

    def described_policies(self) -> str:
        """Return the policies and their memory, as text."""
        return ", ".join(f"{name} {format_bytes(n)}" for name, n in self.policies.items())

    def __str__(self) -> str:
        will = "would be" if self.dry_run else "are"
        moved = f"{format_pages(self.moved)} moved"
        if self.dry_run:
            moved = f"{format_bytes(self.expected_bytes)} would move"
        failed = [f"{n:,} failed ({status.name})" for status, n in self.failures.items()]
        lines = [
            f"before: {self.before}",
            f"after: {self.after}",
            f"{self.changed:,} of {len(self.threads):,} threads {will} on other CPUs than before "
            f"(CPUs of node {self.node}: {format_ids(self.cpus)})",
            ", ".join([f"{moved} to node {self.node}", *failed]),
            f"policy: {self.described_policies()}. {FROM_OUTSIDE}",
            *self.problems,
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        what = f"process {format_ids(self.pids)} on node {self.node}"
        return f"<Localization of {what}: {textwrap.shorten(str(self.after), 70)}, ok={self.ok}>"

    def as_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers, ready for `json.dumps`."""
        return {
            "node": self.node,
            "cpus": list(self.cpus),
            "dry_run": self.dry_run,
            "pids": list(self.pids),
            "before": self.before.as_dict(),
            "after": self.after.as_dict(),
            "threads": [each.as_dict() for each in self.threads],
            "moved": self.moved,
            "failures": {status.name: n for status, n in self.failures.items()},
            "expected_bytes": self.expected_bytes,
            "policies": dict(self.policies),
            "problems": list(self.problems),
            "ok": self.ok,
        }
