"""Advice: what advise() returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ..display.advice_html import advice_html
from ..display.advice_text import advice_text
from ..display.frames import node_columns, pandas
from ..processes.observation import Observation
from ..processes.thread_use import ThreadUse
from ..results.plain import by_node, picked
from .carry_out import Done, carry_out
from .commands import commands_for
from .finding import Finding

# Columns of a table of findings, before those of the nodes.
_COLUMNS = (
    "nbytes", "near", "verdict", "layout", "to_move", "near_after", "cost_seconds",
    "pass_seconds", "pass_seconds_after", "passes", "reason",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What `advise` found; `str` gives a table of 80 columns and the reasons. Nothing has moved.

    Attributes
    ----------
    findings : tuple of Finding
        One for each member or region, largest first. The last one covers all small ones together.
    pid : int
        The process that the memory belongs to; 0 is the calling process.
    threads : tuple of ThreadUse
        The threads that count as users of the memory.
    users : mapping of int to float
        For each node, the estimated share of the memory's use by the CPUs of that node.
    described_use : str
        `users` in words.
    balancing : bool
        Whether automatic balancing is on.
    notes : tuple of str
        Remarks that concern all findings.
    observed : Observation or None
        How the function ran; None if `advise` was not given a function.
    done : dict of str to MoveResult, Replicas or Localization
        What `execute` has done, even if it ended with an error.
    """

    findings: tuple[Finding, ...]
    pid: int
    threads: tuple[ThreadUse, ...]
    users: Mapping[int, float]
    described_use: str
    balancing: bool
    notes: tuple[str, ...] = ()
    observed: Observation | None = None
    done: dict[str, Done] = field(default_factory=dict, compare=False, repr=False)

    def __reduce__(self) -> NoReturn:
        # Pickle and deepcopy would copy the arrays, and `execute` would move the copies.
        raise TypeError(
            "advice is about memory of this process and cannot be copied or sent: send as_dict()"
        )

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do."""
        return all(each.verdict == "leave" for each in self.findings)

    @property
    def result(self) -> Any:
        """What the function returned; None if `advise` was not given a function."""
        return None if self.observed is None else self.observed.result

    @property
    def commands(self) -> tuple[str, ...]:
        """Shell commands that carry out the advice; empty for memory of the calling process."""
        return commands_for(self.pid, self.findings)

    def execute(self, **how: Any) -> dict[str, Done]:
        """Carry out the advice.

        Parameters
        ----------
        **how
            For `move`: ``progress``, ``flags``, ``on_error`` ...

        Returns
        -------
        dict of str to MoveResult, Replicas or Localization
            What was done, by the name of each finding whose verdict is not ``leave``: a
            `MoveResult` for ``move``, a `Localization` for ``bind``, and for ``replicate`` the
            `Replicas` to use instead of the original.

        Raises
        ------
        MovePagesError
            As for `move`, `replicate` and `Process.localize`. Findings before the one that failed
            have been carried out and are in `done`; later ones are not attempted.
        """
        carry_out(self.pid, self.findings, how, self.done)
        return self.done

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        return picked(self, "pid described_use balancing ok") | {
            "findings": [each.as_dict() for each in self.findings],
            "threads": [each.as_dict() for each in self.threads],
            "users": by_node(self.users),
            "commands": list(self.commands),
            "notes": list(self.notes),
            "observed": None if self.observed is None else self.observed.as_dict(),
        }

    def to_pandas(self) -> Any:
        """Return a table with a row for each finding.

        Returns
        -------
        pandas.DataFrame
            The index holds the names. Column ``node0`` holds the bytes on node 0, and so on.

        Raises
        ------
        ImportError
            pandas is missing.
        """
        pd, found = pandas(), self.findings
        nodes = sorted({node for each in found for node in each.bytes_per_node})
        columns = {name: [getattr(each, name) for each in found] for name in _COLUMNS}
        columns |= node_columns([each.bytes_per_node for each in found], nodes)
        names = pd.Index([each.name for each in found], name="memory", dtype=object)
        return pd.DataFrame(columns, index=names)

    def __str__(self) -> str:
        return advice_text(self)

    def __repr__(self) -> str:
        count = sum(each.verdict != "leave" for each in self.findings)
        return f"<Advice: {count:,} of {len(self.findings):,} to change; {self.described_use}>"

    def _repr_html_(self) -> str:
        return advice_html(self)
