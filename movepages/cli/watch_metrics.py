"""What ``movepages watch --prometheus`` writes for node_exporter's textfile collector."""

from __future__ import annotations

import time
from collections.abc import Iterator

import movepages as mp

from ..display.prometheus import Gauge, exposition
from ..results.atomic_file import replacing
from ..system.refusals import Refusal

_MEMORY = "Memory of the process on each NUMA node, by numa_maps. It shows placement, not access."
_UP = "Whether the process existed at the last sample: 0 once it has ended."
_LOOKED = "Unix time of the last sample."


def write_sample(path: str, sample: mp.WatchSample) -> None:
    """Replace a file by the metrics of one sample."""
    _write(path, _gauges(sample, up=True, at=sample.time))


def write_end(path: str, last: mp.WatchSample) -> None:
    """Replace a file by what is left of a process that has ended: that it did, and when."""
    _write(path, _gauges(last, up=False, at=time.time()))


def _gauges(sample: mp.WatchSample, *, up: bool, at: float) -> Iterator[Gauge]:
    who = {"pid": str(sample.pid), "comm": sample.name}
    held = sample.bytes_per_node.items() if up else ()
    per_node = [(who | {"node": str(node)}, nbytes) for node, nbytes in held]
    yield Gauge("movepages_process_memory_bytes", _MEMORY, per_node)
    yield Gauge("movepages_process_up", _UP, [(who, int(up))])
    yield Gauge("movepages_process_sample_timestamp_seconds", _LOOKED, [(who, round(at, 3))])


def _write(path: str, gauges: Iterator[Gauge]) -> None:
    # The collector may read at any time, so it finds the old file or the new one.
    with Refusal() as refusal, replacing(path) as file:
        file.write(exposition(gauges).encode())
    if refusal.error:
        raise OSError(refusal.code, f"--prometheus {path}: {refusal.why}")
