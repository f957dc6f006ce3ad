"""One NUMA node of a machine at one moment, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from ..units import format_ids
from .node_performance import Access

V = TypeVar("V")


class ById(Mapping[int, V]):
    """An immutable mapping in id order; its KeyError lists the ids."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[int, V]) -> None:
        self._items = dict(sorted(items.items()))

    def __getitem__(self, key: int) -> V:
        try:
            return self._items[key]
        except KeyError:
            raise KeyError(f"no entry {key!r}: expected one of {format_ids(self._items)}") from None

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[int]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(tuple(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


class HugePagePool(NamedTuple):
    """The hugetlb pool of one page size on one node, counted in huge pages.

    `total` includes `surplus`, the pages allocated beyond the configured number; `free` pages
    may be reserved for mappings that have not touched them yet.
    Source: Documentation/ABI/testing/sysfs-kernel-mm-hugepages.
    """

    total: int
    free: int
    surplus: int

    def as_dict(self) -> dict[str, int]:
        """Return plain data, ready for `json.dumps`."""
        return self._asdict()


@dataclass(frozen=True, slots=True)
class Node:
    """One online NUMA node.

    Attributes
    ----------
    id : int
        The kernel's number for the node.
    cpus : tuple of int
        The node's online CPUs, ascending; empty for a memory-only node such as CXL memory.
    memory_total, memory_free : int
        Bytes (`si_meminfo_node`); 0 for a node without memory.
    has_memory : bool
        Whether the kernel counts the node among those with memory (N_MEMORY). move_pages(2) fails
        with ENODEV for other nodes.
    allowed : bool
        Whether the node has memory and the cpuset allows pages there.
    distances : Mapping of int to int
        The distance from this node to each node, by id: 10 is local, 20 is twice as far.
    huge_pages : Mapping of int to HugePagePool
        The node's hugetlb pools, by page size in bytes.
    access : Mapping of int to Access
        How fast the nearest nodes reach this memory. Key 1 stands for the nearest nodes with CPUs;
        key 0 includes nodes without CPUs that use memory, such as GPUs. Empty if the firmware has
        no such table (ACPI HMAT).
    tier : int or None
        The memory tier that the kernel put it in; a smaller number is faster memory.
    weight : int or None
        The kernel's weight for weighted interleaving, since Linux 6.9.

    Notes
    -----
    Source: Documentation/ABI/stable/sysfs-devices-node.
    """

    id: int
    cpus: tuple[int, ...]
    memory_total: int
    memory_free: int
    has_memory: bool
    allowed: bool
    distances: Mapping[int, int]
    huge_pages: Mapping[int, HugePagePool]
    access: Mapping[int, Access] = field(default_factory=lambda: ById({}))
    tier: int | None = None
    weight: int | None = None

    @property
    def has_cpus(self) -> bool:
        """Whether the node has a CPU that is online."""
        return bool(self.cpus)

    @property
    def from_cpus(self) -> Access | None:
        """How fast the nearest CPUs reach this memory; None if the firmware does not report it."""
        # Before Linux 5.10 there was class 0 alone.
        return self.access.get(1) or self.access.get(0)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`; sizes in bytes."""
        # JSON has no integer keys, so huge pages become a list and distances get string keys.
        told = {"tier": self.tier, "weight": self.weight}
        access = [{"class": number, **way.as_dict()} for number, way in self.access.items()]
        return {
            "id": self.id,
            "cpus": list(self.cpus),
            "memory_total": self.memory_total,
            "memory_free": self.memory_free,
            "has_memory": self.has_memory,
            "allowed": self.allowed,
            "distances": {str(i): d for i, d in self.distances.items()},
            "huge_pages": [{"size": s, **p.as_dict()} for s, p in self.huge_pages.items()],
            **{name: value for name, value in told.items() if value is not None},
            **({"access": access} if access else {}),
        }
