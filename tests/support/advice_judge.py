"""Ask for advice about a situation, carry it out, and hold both against the witness."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import movepages as mp

from . import memory, placing, witness
from .placing import MIB
from .planted_process import Card
from .situations import Expected, Situation

ENOUGH = 0.95
COUNTED, SHARES = ("found", "right", "landed"), ("before", "after")


class UnsteadyError(Exception):
    """The scheduler moved a thread that was free to run anywhere."""


@dataclass
class Trial:
    """What came of one situation."""

    found: bool
    right: bool
    landed: bool
    before: float
    after: float
    told: str

    @property
    def good(self) -> bool:
        """Whether nothing was wrong."""
        return self.found and self.right and self.landed


def share_near(found: np.ndarray, wanted: np.ndarray | frozenset[int]) -> float:
    """Return the share of pages where they are wanted; of pages spread evenly over nodes, 1."""
    if isinstance(wanted, frozenset):
        shares = [np.count_nonzero(found == node) / len(found) for node in wanted]
        return sum(min(share, 1 / len(wanted)) for share in shares)
    return float((found == wanted).mean())


class Own:
    """Advice about memory of this process."""

    def __init__(self, situation: Situation) -> None:
        self.situation = situation
        self.expected, self.planted = situation.expected, situation.planted
        self.look = situation.look

    def advise(self) -> Any:
        """Return the advice."""
        if self.situation.threads:
            self.situation.threads.keep_up()
        before = placing.migrations()
        self._need_cpu(before)
        advice = mp.advise(self.situation.subject, **self.situation.options)
        self._need_cpu(before)
        return advice

    def _need_cpu(self, before: int) -> None:
        found, moves = placing.current_cpu(), placing.migrations() - before
        if self.situation.cpu is not None and (moves or found != self.situation.cpu):
            raise UnsteadyError(f"on CPU {found} instead of {self.situation.cpu}, {moves} moves")

    def finding(self, advice: Any, name: str) -> Any:
        """Return what the advice says of an array, None if nothing."""
        if len(self.expected) == 1:
            (one,) = advice.findings
            return one
        found = {each.name: each for each in advice.findings}
        # Small arrays are told together.
        small = self.situation.arrays[name].nbytes < MIB
        return next(iter(found.values())) if small and len(found) == 1 else found.get(name)

    def array(self, name: str) -> np.ndarray:
        """Return an array by its name."""
        return self.situation.arrays[name]

    def extra(self, advice: Any) -> list[Any]:
        """Return findings about other memory."""
        return [] if len(advice.findings) == len(self.expected) else list(advice.findings)


class Other:
    """Advice about memory of another process, whose arrays are known by their sizes."""

    def __init__(self, pid: int, card: Card, look: Callable[[], dict[str, np.ndarray]]) -> None:
        self.pid, self.card, self.look = pid, card, look
        self.expected, self.planted = card.expected, card.planted

    def advise(self) -> Any:
        """Return the advice."""
        return mp.advise(pid=self.pid, **self.card.options)

    def finding(self, advice: Any, name: str) -> Any:
        """Return what the advice says of an array, None if nothing."""
        size = self.card.nbytes[name]
        return next((each for each in advice.findings if each.nbytes == size), None)

    def extra(self, advice: Any) -> list[Any]:
        """Return findings about other memory."""
        sizes = set(self.card.nbytes.values())
        return [each for each in advice.findings if each.nbytes not in sizes]


def judge(case: Own | Other) -> Trial:
    """Ask for advice, carry it out, and compare each array with what is expected."""
    before = case.look()
    for name, planted in case.planted.items():
        assert np.array_equal(before[name], planted), f"not planted: {name}"
    advice = case.advise()
    told, found, right = [], True, True
    for name, expected in case.expected.items():
        finding = case.finding(advice, name)
        if finding is None:
            found = False
            told.append(f"{name}: nothing said")
            continue
        found &= finding.verdict == expected.verdict
        right &= says(finding, expected)
        told.append(
            f"{name}: {finding.verdict} {finding.layout!r} near {finding.near:.2f}, expected "
            f"{expected.verdict} {expected.layout!r}; {finding.reason}; {finding.bytes_per_node}"
        )
    quiet = all(each.verdict == "leave" for each in case.expected.values())
    if quiet and not advice.ok:
        found = False
        told += [f"not ok: {each.name} {each.verdict} {each.layout}: {each.reason}"
                 for each in case.extra(advice) if each.verdict != "leave"]  # fmt: skip
    done = advice.execute()
    after = case.look()
    landed = all(
        _copied(done.get(name if len(case.expected) > 1 else ""), case.array(name), expected)
        if expected.verdict == "replicate"
        else landed_well(before[name], after[name], expected)
        for name, expected in case.expected.items()
    )
    if not landed:
        told.append(f"execute() gave {done!r}")
    wanted = [name for name, each in case.expected.items() if each.verdict == "move"]
    shares = [
        np.mean([share_near(look[name], case.expected[name].nodes) for name in wanted] or [1.0])
        for look in (before, after)
    ]
    told.append(f"near {shares[0]:.2f} -> {shares[1]:.2f}; {advice.described_use}")
    return Trial(found, right, landed, float(shares[0]), float(shares[1]), "\n      ".join(told))


def table(rows: dict[str, list[Trial]]) -> str:
    """Return the figures of each kind as a table."""
    head = f"{'kind':32} {'variants':>8} {'found':>6} {'layout':>7} {'landed':>7}  near"
    lines = [head]
    for kind, trials in rows.items():
        counts = [sum(getattr(each, key) for each in trials) for key in COUNTED]
        before, after = (np.mean([getattr(each, key) for each in trials]) for key in SHARES)
        lines.append(
            f"{kind:32} {len(trials):8} {counts[0]:6} {counts[1]:7} {counts[2]:7}  "
            f"{before:.3f} -> {after:.3f}"
        )
    return "\n".join(lines)


def says(finding: Any, expected: Expected) -> bool:
    """Return whether a finding gives the layout that is expected."""
    if expected.verdict == "leave":
        return finding.layout == "" and finding.target is None
    return finding.layout.startswith(expected.layout)


def landed_well(before: np.ndarray, after: np.ndarray, expected: Expected) -> bool:
    """Return whether an array is where it is expected, or was not touched."""
    if expected.verdict == "leave":
        return np.array_equal(before, after)
    return share_near(after, expected.nodes) >= ENOUGH


def _copied(copies: Any, array: np.ndarray, expected: Expected) -> bool:
    """Return whether there is a copy wholly on each node."""
    return (
        isinstance(copies, mp.Replicas)
        and set(copies.nodes) == expected.nodes
        and all(
            np.array_equal(copies.on(node), array)
            and (witness.nodes_at_once(memory.pages_of(copies.on(node).T)) == node).all()
            for node in copies.nodes
        )
    )
