"""What each Dask worker or MPI rank holds, and how much of it is near its CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any

from ..display.html import table_html
from ..results.plain import by_node
from ..units import format_bytes

_TITLES = ("member", "host", "pid", "its nodes", "memory", "absent", "elsewhere", "")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One process of a parallel program.

    Attributes
    ----------
    name : str
        The address of a worker, or the number of a rank.
    host : str
        The name of its machine. Equal node numbers on different hosts are different nodes.
    pid : int
        The number of the process on its host.
    nodes : tuple of int
        Its own nodes: those nearest to the CPUs that it may run on. There are several if it is not
        pinned to one node.
    bytes_per_node : mapping of int to int
        Bytes of its arrays on each node. Arrays that share memory each count in full.
    absent_bytes : int
        Bytes of its arrays on no node.
    problem : str
        What is not known or was not done, and why; "" if there is nothing to report.

    Examples
    --------
    >>> Member(name="rank 3", nodes=(1,), bytes_per_node={0: 4096, 1: 8192}).misplaced_bytes
    4096
    """

    name: str
    host: str = ""
    pid: int = 0
    nodes: tuple[int, ...] = ()
    bytes_per_node: Mapping[int, int] = field(default_factory=dict)
    absent_bytes: int = 0
    problem: str = ""

    @property
    def pinned(self) -> bool:
        """Whether all CPUs that it may run on have the same nearest node."""
        return len(self.nodes) == 1

    @property
    def misplaced_bytes(self) -> int:
        """Bytes on nodes that are not its own; 0 if its own nodes are not known (``problem``)."""
        elsewhere = (n for node, n in self.bytes_per_node.items() if node not in self.nodes)
        return sum(elsewhere) if self.nodes else 0

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        held = by_node(self.bytes_per_node)
        told = {"nodes": list(self.nodes), "bytes_per_node": held}
        return asdict(self) | told | {"misplaced_bytes": self.misplaced_bytes}


class Survey(tuple[Member, ...]):
    """The workers or ranks of a program, as a tuple of `Member` that prints as a table."""

    @property
    def misplaced_bytes(self) -> int:
        """Bytes that are not on a node of the member that holds them."""
        return sum(member.misplaced_bytes for member in self)

    @property
    def ok(self) -> bool:
        """Whether all members answered, and the pages of each are on its own nodes."""
        return not self.misplaced_bytes and not any(member.problem for member in self)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, ready for `json.dumps`."""
        members = [member.as_dict() for member in self]
        return {"members": members, "misplaced_bytes": self.misplaced_bytes, "ok": self.ok}

    def __str__(self) -> str:
        rows = [_TITLES, *map(_cells, self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return table_html(
            _TITLES, "llrlllll", [list(map(escape, _cells(member))) for member in self]
        )


def _cells(member: Member) -> tuple[str, ...]:
    memory = [f"{node}: {format_bytes(n)}" for node, n in member.bytes_per_node.items()]
    nodes = ", ".join(map(str, member.nodes))
    spread = f"not pinned: its CPUs are near nodes {nodes}" if len(member.nodes) > 1 else ""
    sizes = (", ".join(memory) or "-", _size(member.absent_bytes), _size(member.misplaced_bytes))
    if not member.pid:
        # Nothing is known of a member without an answer; "-" would mean that it has nothing.
        sizes = ("?",) * 3
    elif not member.nodes:
        sizes = (*sizes[:2], "?")
    told = "; ".join(filter(None, [spread, member.problem]))
    return (member.name, member.host, str(member.pid or ""), nodes, *sizes, told)


def _size(count: int) -> str:
    return format_bytes(count) if count else "-"
