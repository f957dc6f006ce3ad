"""Sample what a process and its descendants have on each node, at a small share of a CPU."""

from __future__ import annotations

import math
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
_LOOKS, _SAMPLES, _FIRST_S = 0.005, 0.005, 0.03
_LEAST_S = 0.02
# Share of the time so far that a sample may take that is overdue.
_ONE = 0.01
# What a page more adds to the cost of a sample; 46 ns were measured.
_A_PAGE_S = 1e-7
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
        Whether it had ended by the last look.
    pages : int
        Its size when it was sampled last.
    at : float
        When that was, by `time.monotonic`.
    cost : float
        CPU time that it took.
    """

    pid: int
    name: str = ""
    last: Held = field(default_factory=Counter)
    peak: Held = field(default_factory=Counter)
    ended: bool = False
    pages: int = 0
    at: float = -math.inf
    cost: float = 0.0


class TreeUsage:
    """What a process and its descendants have, sample by sample.

    A look finds the processes and their sizes. A sample finds the nodes of one process that is new
    or has changed its size: it costs the kernel 46 ns a page. Processes that were seen once belong
    to the tree until they end, whatever becomes of their parents.

    Attributes
    ----------
    processes : dict of Identity to ProcessUsage
        All that were seen, those that have ended included.
    end, peak : Counter
        Bytes by node at the last look, and at that with the most bytes in all.
    most : Counter
        The most bytes on each node, by node; at different times.
    samples : int
    seconds : float
        CPU time that looks and samples took.
    at : float
        When the last look was, by `time.monotonic`.
    """

    def __init__(self, pid: int) -> None:
        self._root = pid
        self.processes: dict[Identity, ProcessUsage] = {}
        self.end, self.peak, self.most = (Counter[int | None]() for _ in range(3))
        self.samples, self.seconds = 0, 0.0
        self._begin = self.at = time.monotonic()
        self._in_samples = self._cost = 0.0

    def keep_looking(self, until: threading.Event) -> None:
        """Look until the process has ended, or an event tells to stop."""
        while True:
            before = self._in_samples
            begin = time.thread_time()
            there = self._look()
            took = time.thread_time() - begin
            self.seconds += took
            look = took - (self._in_samples - before)
            # The first look is slow, because nothing is in the CPU's caches: do not wait for long.
            pause = min(look / _LOOKS, time.monotonic() - self._begin)
            if not there or until.wait(max(_LEAST_S, pause)):
                return

    def _look(self) -> bool:
        """Sample what is new or has changed; return whether the first process is still there."""
        sizes = {who: resident_pages(who.pid) or 0 for who in self._tree()}
        # What has ended and is not waited for yet has no memory.
        if not any(size for who, size in sizes.items() if who.pid == self._root):
            return False
        for who, of in self.processes.items():
            of.ended = who not in sizes
        for who in sizes:
            self.processes.setdefault(who, ProcessUsage(who.pid))
        # The longest without a sample come first: those without any, then the others.
        for who in sorted(sizes, key=lambda who: self.processes[who].at):
            self._sample_if_due(self.processes[who], sizes[who])
        total: Held = Counter()
        for of in self.processes.values():
            total.update({} if of.ended else of.last)
        self.end, self.peak = total, max(self.peak, total, key=Counter.total)
        self.most |= total
        self.at = time.monotonic()
        return True

    def _tree(self) -> list[Identity]:
        known = (who for who, of in self.processes.items() if not of.ended)
        still = (who.pid for who in known if who == identity(who.pid))
        tree = map(identity, with_descendants([self._root, *still]))
        return [who for who in tree if who]

    def _sample_if_due(self, of: ProcessUsage, pages: int) -> None:
        if not pages:
            return
        now = time.monotonic()
        cost = (of.cost or self._cost) + max(pages - of.pages, 0) * _A_PAGE_S
        alike = abs(pages - of.pages) <= of.pages * _CHANGE
        # Pages also move without a change of size.
        if alike and now - of.at < 4 * cost * len(self.processes) / _SAMPLES:
            return
        since = now - self._begin
        affordable = self._in_samples + cost <= since * _SAMPLES + _FIRST_S
        # Samples at doubling intervals add up to little, and none is out of date for long.
        overdue = 2 * (now - of.at) >= since and cost <= _ONE * since
        if not (affordable or overdue):
            return
        begin = time.thread_time()
        # A process gets its name when it executes a program, some time after it started.
        of.name = name_of(of.pid) or of.name
        held = held_by(of.pid)
        if held:
            of.last, of.peak = held, max(of.peak, held, key=Counter.total)
            of.pages, of.at = pages, now
            self.samples += 1
        took = time.thread_time() - begin
        self._in_samples += took
        of.cost = self._cost = took


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


def name_of(pid: int) -> str:
    """Return the name of a process from /proc/PID/comm, or "" if it cannot be read."""
    told = read_if_told(pid, "comm") or b""
    return told.decode("utf-8", "replace").rstrip("\n")
