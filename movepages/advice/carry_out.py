"""Carry out advice: move, copy, or bind threads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from ..memory.replicas import Replicas, replicate
from ..migration.move import move
from ..processes.localization import Localization
from ..processes.process import process
from ..results.outcome import MoveResult
from ..results.warnings import LayoutWarning
from ..system.log import info
from .finding import Finding

Done = MoveResult | Replicas | Localization


def carry_out(pid: int, findings: Iterable[Finding], how: Mapping[str, Any]) -> dict[str, Done]:
    """Do what findings say, and return what was done by their names."""
    done: dict[str, Done] = {}
    for each in findings:
        if each.verdict != "leave":
            done[each.name] = _done(pid, each, how)
            info("advice carried out: %s to %s", each.name or "memory", each.layout)
    return done


def _done(pid: int, finding: Finding, how: Mapping[str, Any]) -> Done:
    if finding.verdict == "bind":
        return process(pid or os.getpid()).localize(finding.target, memory=False)
    if finding._subject is None:
        raise TypeError("this finding was made by hand and has no memory to move")
    array = finding._subject.array
    if finding.verdict == "replicate":
        return replicate(array, finding.target)
    with warnings.catch_warnings():
        # The finding has told how near it will be.
        warnings.simplefilter("ignore", LayoutWarning)
        result: MoveResult = move(array, finding.target, **how)
    return result
