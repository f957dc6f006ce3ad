"""Measure how fast the CPUs of each node reach the memory of each: measure_bandwidth()."""

from __future__ import annotations

from datetime import UTC, datetime

from ..results.bandwidth import Bandwidth
from ..results.kept_bandwidth import keep_bandwidth, kept_bandwidth
from ..system.machine_key import MachineKey, machine_key
from ..system.topology import Topology
from ..system.topology_reader import read_topology
from .bandwidth_places import find_places
from .bandwidth_run import Progress, Run


def measure_bandwidth(
    *, fresh: bool = False, seconds: float = 0.25, progress: Progress | None = None
) -> Bandwidth:
    """Measure how fast the CPUs of each node read, write and copy memory of each node.

    The result is kept in the user's cache folder, and later calls return it as long as it is valid.

    Parameters
    ----------
    fresh : bool, default False
        Measure again, even if figures are kept for this machine.
    seconds : float, default 0.25
        Time for each figure; a machine with two nodes has 25 figures. At least three rounds are
        measured, and the fastest counts.
    progress : callable, optional
        Called as ``progress(figures_done, figures)`` after each figure. If it returns False, the
        call ends with a MovePagesCancelledError.

    Returns
    -------
    Bandwidth
        ``measured_at`` says when it was measured.

    Raises
    ------
    ValueError
        `seconds` is not within 0 to 3600.
    MovePagesError
        Memory is not available, pages are not on the node they were allocated on, a CPU cannot be
        used, or `progress` ended the call.
    KeyboardInterrupt
        The call was interrupted; it reacts within a fraction of a second.

    Notes
    -----
    Each CPU of a node that this process may use runs one thread. All threads run at the same time,
    and each passes over its own part of the memory. The memory is in huge pages if the kernel has
    some, and is bound to its node; `where` checks that it is there. It is eight times as large as
    the last-level caches of a node, or half of what is free if that is less. The latency is
    measured with dependent loads by one CPU: each load, from a random cache line, yields the
    address of the next. All loads and stores are ordinary ones, which use the caches. Other
    processes that run meanwhile lower the figures, so measure on an idle machine.

    The file is in ``$XDG_CACHE_HOME/movepages`` or ``~/.cache/movepages``. It is valid for one
    host, kernel release, CPU model, and set of CPUs and nodes that the process may use.

    Examples
    --------
    >>> found = measure_bandwidth(seconds=0)
    >>> found.read.shape == (len(found.cpu_nodes), len(found.memory_nodes))
    True
    """
    if not 0 <= seconds <= 3600:
        raise ValueError(f"seconds: expected 0 to 3600, got {seconds!r}")
    machine = read_topology()
    key = machine_key(machine)
    found = None if fresh else kept_bandwidth(key)
    if found is None:
        found = _measured(machine, key, seconds, progress)
        keep_bandwidth(found)
    return found


def _measured(
    machine: Topology, key: MachineKey, seconds: float, progress: Progress | None
) -> Bandwidth:
    places = find_places(machine)
    with Run(places, seconds, progress) as run:
        figures, together = run.matrix(), run.together()
    return Bandwidth(
        cpu_nodes=tuple(places.cpus),
        memory_nodes=tuple(places.nbytes),
        **figures,
        together=together,
        nbytes=dict(places.nbytes),
        machine=key,
        measured_at=datetime.now(UTC).replace(microsecond=0),
        notes=(*places.notes, *run.notes()),
    )
