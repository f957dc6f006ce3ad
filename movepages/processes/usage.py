"""Sample what a process and its descendants have on each node, at a small share of a CPU."""

from __future__ import annotations

import mmap
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from ..system.numa_maps import memory_of, resident_pages
from ..system.refusals import read_if_told
from .tree import Identity, identity, with_descendants

# Bytes by node; None for memory whose node is not known.
Held: TypeAlias = "Counter[int | None]"

# Shares of a CPU that looks at sizes and samples of nodes may take, besides the first samples, and
# the time between looks that even cheap ones keep.
_LOOKS, _SAMPLES, _FIRST_S = 0.004, 0.006, 0.02
_LEAST_S = 0.02
# A change of the size that calls for a sample, as a share of it.
_CHANGE = 0.02


@dataclass
class ProcessUsage:
    """What one process has had.

    Attributes
    ----------
    pid : int
    name : str
        As in /proc/PID/comm.
    last, peak : Counter
        Bytes by node in the last sample, and in the sample with the most bytes.
    ended : bool
        Whether it had ended by the last sample of all.
    """

    pid: int
    name: str = ""
    last: Held = field(default_factory=Counter)
    peak: Held = field(default_factory=Counter)
    ended: bool = False


class TreeUsage:
    """What a process and its descendants have, sample by sample.

    Processes that were seen once belong to it until they end, whatever becomes of their parents.

    Attributes
    ----------
    processes : dict of Identity to ProcessUsage
        All that were seen, those that have ended included.
    end, peak : Counter
        Bytes by node in the last sample, and in the sample with the most bytes in all.
    most : Counter
        The most bytes on each node, by node; at different times.
    samples : int
    seconds : float
        CPU time that the samples took.
    at : float
        When the last sample was taken, by `time.monotonic`.
    """

    def __init__(self, pid: int) -> None:
        self._root = pid
        self.processes: dict[Identity, ProcessUsage] = {}
        self.end, self.peak, self.most = (Counter[int | None]() for _ in range(3))
        self.samples, self.seconds = 0, 0.0
        self._begin = self.at = time.monotonic()
        self._look = self._cost = self._in_samples = 0.0
        self._resident = 0

    def keep_sampling(self, until: threading.Event) -> None:
        """Take samples until the process has ended, or an event tells to stop."""
        while True:
            begin = time.thread_time()
            tree = self._tree()
            sizes = {who: resident_pages(who.pid) or 0 for who in tree}
            # What has ended and is not waited for yet has no memory.
            if not any(size for who, size in sizes.items() if who.pid == self._root):
                return
            self._look = time.thread_time() - begin
            self.seconds += self._look
            if self._is_due(tree, sum(sizes.values())):
                self.sample(tree)
            if until.wait(max(_LEAST_S, self._look / _LOOKS)):
                return

    def _tree(self) -> list[Identity]:
        known = (who for who, of in self.processes.items() if not of.ended)
        still = (who.pid for who in known if who == identity(who.pid))
        tree = map(identity, with_descendants([self._root, *still]))
        return [who for who in tree if who]

    def _is_due(self, tree: list[Identity], resident: int) -> bool:
        """Return whether to take a sample, which costs 46 ns for each page of the processes."""
        now = time.monotonic()
        cost = self._cost * max(resident / max(self._resident, 1), 1)
        spent = self._in_samples + cost
        if self.samples and spent > (now - self._begin) * _SAMPLES + _FIRST_S:
            return False
        alike = abs(resident - self._resident) <= self._resident * _CHANGE
        # Pages also move without a change of size.
        recent = now - self.at < 2 * cost / _SAMPLES
        known = (who in self.processes for who in tree)
        return not (self.samples and alike and recent and all(known))

    def sample(self, tree: list[Identity]) -> None:
        """Take a sample of these processes, unless the first of all has ended meanwhile."""
        begin = time.thread_time()
        living = {who: held_by(who.pid) for who in tree}
        if any(who.pid == self._root and held for who, held in living.items()):
            self._add(living)
        self._cost = time.thread_time() - begin
        self._in_samples += self._cost
        self.seconds += self._cost

    def _add(self, living: dict[Identity, Held]) -> None:
        total: Held = Counter()
        for who, of in self.processes.items():
            of.ended = who not in living
        for who, held in living.items():
            of = self.processes.setdefault(who, ProcessUsage(who.pid))
            # A process gets its name when it executes a program, some time after it started.
            of.name = _name_of(who.pid) or of.name
            of.last, of.peak = held, max(of.peak, held, key=Counter.total)
            total.update(held)
        self.end, self.peak = total, max(self.peak, total, key=Counter.total)
        self.most |= total
        self.samples += 1
        self._resident = total.total() // mmap.PAGESIZE
        self.at = time.monotonic()


def held_by(pid: int) -> Held:
    """Return the bytes that a process has in memory, by node."""
    text = read_if_told(pid, "numa_maps")
    held: Held = Counter()
    if text is None:
        # The program has another user's rights, or the kernel has no NUMA.
        resident = (resident_pages(pid) or 0) * mmap.PAGESIZE
        return Counter({None: resident}) if resident else held
    for line in text.split(b"\n"):
        size, pages = memory_of(line)
        for node, count in pages.items():
            held[node] += count * size
    return held


def _name_of(pid: int) -> str:
    told = read_if_told(pid, "comm") or b""
    return told.decode("utf-8", "replace").rstrip("\n")
