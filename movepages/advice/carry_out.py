"""Carry out advice: move, copy, or bind threads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ..memory.replicas import Replicas, replicate
from ..migration.move import move
from ..processes.localization import Localization
from ..processes.process import process
from ..results.outcome import MoveResult
from ..system.log import info
from .finding import Finding

Done = MoveResult | Replicas | Localization


def carry_out(
    pid: int, findings: Iterable[Finding], how: Mapping[str, Any], done: dict[str, Done]
) -> None:
    """Do what findings say, and enter into `done` what was done by their names."""
    bound: dict[int, Localization] = {}
    for each in findings:
        if each.verdict == "bind":
            if each.target not in bound:
                bound[each.target] = _bound(pid, each.target)
            done[each.name] = bound[each.target]
        elif each.verdict != "leave":
            done[each.name] = _done(each, how)
        if each.name in done:
            info("advice carried out: %s to %s", each.name or "memory", each.layout)


def _bound(pid: int, node: int) -> Localization:
    return process(pid or os.getpid()).localize(node, memory=False)


def _done(finding: Finding, how: Mapping[str, Any]) -> Done:
    if finding._subject is None:
        raise TypeError("this finding was made by hand and has no memory to move")
    array = finding._subject.array
    if finding.verdict == "replicate":
        return replicate(array, finding.target)
    result: MoveResult = move(array, finding.target, **how)
    return result
