"""How long one pass over memory takes, by measured bandwidths."""

from __future__ import annotations

from collections.abc import Mapping

from .bandwidth import Bandwidth

_GIGA = 1e9


def pass_seconds(bandwidth: Bandwidth, traffic: Mapping[tuple[int, int], float]) -> float | None:
    """Return the least seconds in which all CPUs read what each has to.

    Parameters
    ----------
    bandwidth : Bandwidth
    traffic : mapping of (int, int) to float
        Bytes that the CPUs of a node read from the memory of a node: ``(CPU node, memory node)``.

    Returns
    -------
    float or None
        None if a pair of nodes was not measured.

    Notes
    -----
    The slowest decides: the CPUs of a node, which read from one node after the other, each as fast
    as was measured, or the memory of a node, which gives no more than it gave to the nearest CPUs.
    Both were measured with all CPUs of a node at once; fewer threads take longer.

    Examples
    --------
    >>> found = measure_bandwidth(seconds=0)
    >>> node = found.cpu_nodes[0], found.memory_nodes[0]
    >>> seconds = pass_seconds(found, {node: 1e9})
    >>> bool(np.isclose(seconds, 1 / found.pair(*node).read))
    True
    """
    cpus: dict[int, float] = {}
    memory: dict[int, float] = {}
    for (cpu_node, node), nbytes in traffic.items():
        if cpu_node not in bandwidth.cpu_nodes or node not in bandwidth.memory_nodes:
            return None
        took = nbytes / _GIGA / bandwidth.pair(cpu_node, node).read
        cpus[cpu_node] = cpus.get(cpu_node, 0.0) + took
        column = bandwidth.memory_nodes.index(node)
        least = nbytes / _GIGA / float(bandwidth.read[:, column].max())
        memory[node] = memory.get(node, 0.0) + least
    return max([*cpus.values(), *memory.values()], default=0.0)
