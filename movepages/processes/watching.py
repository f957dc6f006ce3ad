"""watch(): the memory of a process on each node, sample by sample, until the process ends."""

from __future__ import annotations

import os
import time
from typing import Any, Self

from ..display.frames import node_columns, pandas
from ..results.outcome import MovePagesLookupError
from ..whole_numbers import as_whole
from .ending import EndOf
from .process import process
from .usage import name_of
from .watch_sample import WatchSample

# Seconds between two samples: reading the mappings of a large process takes milliseconds.
SHORTEST_S, LONGEST_S = 0.05, 1_000_000


class Watch:
    """An iterator over samples of the memory of a process; see `watch`.

    As a context manager, it calls `close` at the end of the block.

    Attributes
    ----------
    pid : int
        The number of the process.
    interval : float
        Minimum number of seconds from one sample to the next.
    count : int or None
        Maximum number of samples; None for no limit.
    ended : bool
        Whether the process has ended. The iteration then ends, too.
    """

    def __init__(self, pid: int, interval: float, count: int | None) -> None:
        self.pid, self.interval, self.count = pid or os.getpid(), interval, count
        self.ended = False
        self._process, self._taken = process(pid), 0
        self._last: WatchSample | None = None
        self._end: EndOf | None = EndOf(self.pid)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchSample:
        sample = self._next()
        if sample is None:
            self.close()
            raise StopIteration
        return sample

    def close(self) -> None:
        """End the iteration. If it has ended already, nothing happens."""
        if self._end is not None:
            self._end.close()
            self._end = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Watch of process {self.pid}, every {self.interval:g} s>"

    def to_pandas(self) -> Any:
        """Take all remaining samples, and return a row for each.

        Without a `count`, this lasts until the process ends.

        Returns
        -------
        pandas.DataFrame
            Columns ``time`` (a timestamp in UTC) and ``nbytes``, and two for each node, such as
            ``node1`` (bytes) and ``node1_per_second``.

        Raises
        ------
        ImportError
            pandas is missing.
        """
        pd, nodes = pandas(), self._process.nodes
        samples = list(self)
        columns = {
            "time": pd.to_datetime([each.time for each in samples], unit="s", utc=True),
            "nbytes": [each.nbytes for each in samples],
            **node_columns([each.bytes_per_node for each in samples], nodes),
            **node_columns([each.bytes_per_second for each in samples], nodes, "_per_second"),
        }
        return pd.DataFrame(columns)

    def _next(self) -> WatchSample | None:
        if self._end is None or self._taken == self.count:
            return None
        if self._last is not None:
            due = self._last.seconds + self.interval
            if self._end.comes_within(max(due - time.monotonic(), 0.0)):
                self.ended = True
                return None
        try:
            self._last = self._sample()
        except MovePagesLookupError:
            # A process that ends while it is watched is expected; one that was never there is not.
            if self._last is None:
                raise
            self.ended = True
            return None
        self._taken += 1
        return self._last

    def _sample(self) -> WatchSample:
        nodes, last = self._process.nodes, self._last
        counts = self._process.regions()["bytes"].sum(axis=0).tolist()
        now, held = time.monotonic(), dict(zip(nodes, counts, strict=True))
        rates = dict.fromkeys(nodes, 0.0)
        if last is not None:
            passed = now - last.seconds
            rates = {node: (held[node] - last.bytes_per_node[node]) / passed for node in nodes}
        return WatchSample(
            pid=self.pid, name=name_of(self.pid), time=time.time(), seconds=now,
            bytes_per_node=held, bytes_per_second=rates,
        )  # fmt: skip


def watch(pid: int | None = None, interval: float = 1.0, count: int | None = None) -> Watch:
    """Watch how the memory of a process on each node changes, until the process ends.

    Parameters
    ----------
    pid : int, optional
        The number of the process; by default the calling process.
    interval : float, default 1.0
        Minimum number of seconds from one sample to the next, from 0.05 to 1,000,000. The first
        sample is taken at once.
    count : int, optional
        Maximum number of samples; by default there is no limit.

    Returns
    -------
    Watch
        An iterator of `WatchSample`: memory on each node and its change per second. It waits for
        the next sample, and ends with the process. ``close()`` ends it, as does the end of a
        ``with`` block.

    Raises
    ------
    TypeError, ValueError
        An argument is not a number, or out of range.
    MovePagesError
        When the first sample is taken: there is no such process (also a ProcessLookupError), or
        this process may not inspect it.

    Notes
    -----
    A sample reads maps and numa_maps of the process. This takes the kernel about 46 ns for each
    page in memory. It shows placement, not access. Source: ``show_numa_map`` in the kernel's
    fs/proc/task_mmu.c; pidfd_open(2).

    Examples
    --------
    >>> with watch(interval=0.05, count=2) as samples:
    ...     [sample.nbytes > 0 for sample in samples]
    [True, True]
    """
    most = None if count is None else as_whole("count", count)
    return Watch(process(0 if pid is None else pid).pid, _as_interval(interval), most)


def _as_interval(seconds: float) -> float:
    try:
        found = float(seconds)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"interval: expected seconds, got {seconds!r}") from None
    if not SHORTEST_S <= found <= LONGEST_S:
        raise ValueError(
            f"interval: expected seconds from {SHORTEST_S} to {LONGEST_S:,}, got {seconds!r}"
        )
    return found
