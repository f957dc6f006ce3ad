"""Observe one run of a function: where its threads run, and what the machine counts meanwhile."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..system.numa_counters import read_numa_counters
from ..system.perf_events import EventCounters
from ..system.signal_safe import start_thread
from ..system.topology_reader import read_topology
from .locality import homes
from .observation import Observation, ObservedThread
from .thread_sampler import SampledThread, ThreadSampler


def observe(function: Callable[..., Any], args: Sequence[Any] = ()) -> Observation:
    """Run a function once in this thread, and observe the threads of this process meanwhile.

    Parameters
    ----------
    function : callable
    args : sequence
        Its arguments.

    Returns
    -------
    Observation
        CPU time of each thread by CPU and node, and counters of the process and of the machine.

    Raises
    ------
    TopologyError
        The nodes cannot be read; the function was not called.
    BaseException
        What the function raises comes through unchanged.

    Notes
    -----
    It shows where threads run, not which memory they use. Another thread looks at all threads
    every 10 ms or so; a function that keeps Python's lock (GIL) makes this rarer. Threads that end
    during the run count up to the last sample that saw them. Child processes are not observed.

    Examples
    --------
    >>> seen = observe(sum, [range(100_000)])
    >>> seen.result, seen.cpu_seconds > 0
    (4999950000, True)
    """
    machine = read_topology()
    home = homes(machine)
    sampler = ThreadSampler()
    try:
        with sampler.running:
            # The counters open later: threads that this one starts then are counted.
            start_thread(sampler.thread)
            with EventCounters(sampler.tids()) as events:
                counters, faults = read_numa_counters(), resource.getrusage(resource.RUSAGE_SELF)
                sampler.begin()
                cpu, begin = time.process_time(), time.perf_counter()
                result = function(*args)
                seconds = time.perf_counter() - begin
    finally:
        if sampler.thread.is_alive():
            sampler.thread.join()
    sampler.look()
    cpu = time.process_time() - cpu - sampler.seconds
    threads = tuple(_observed(each, home) for each in sampler.threads)
    faults_now = resource.getrusage(resource.RUSAGE_SELF)
    added = read_numa_counters().since(counters)
    loads, misses = events.counts or (None, None)
    return Observation(
        seconds=seconds,
        threads=tuple(sorted(threads, key=lambda each: -each.cpu_seconds)),
        samples=sampler.samples,
        unseen_seconds=max(cpu - sum(each.cpu_seconds for each in threads), 0.0),
        minor_faults=faults_now.ru_minflt - faults.ru_minflt,
        major_faults=faults_now.ru_majflt - faults.ru_majflt,
        numa=added.nodes,
        balancing=added.balancing,
        node_loads=loads,
        node_load_misses=misses,
        no_counters=events.why_none,
        result=result,
    )


def _observed(thread: SampledThread, home: Mapping[int, int]) -> ObservedThread:
    by_cpu = {cpu: n for cpu, n in sorted(thread.seconds.items()) if n}
    by_node: dict[int, float] = {}
    for cpu, seconds in by_cpu.items():
        if cpu in home:
            by_node[home[cpu]] = by_node.get(home[cpu], 0.0) + seconds
    return ObservedThread(
        tid=thread.tid,
        name=thread.name,
        cpus=thread.cpus,
        cpu=thread.cpu,
        cpu_seconds_per_cpu=by_cpu,
        cpu_seconds_per_node=dict(sorted(by_node.items())),
    )
