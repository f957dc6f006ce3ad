"""Protocols of the values shown: the attributes that pictures and tables read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from ..units import format_bytes

Runs: TypeAlias = "npt.NDArray[np.void]"


class PlacementView(Protocol):
    """The attributes of a `Placement` that are shown."""

    @property
    def address(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def pages(self) -> int: ...
    @property
    def page_size(self) -> int: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]: ...
    @property
    def bytes_per_node(self) -> Mapping[int, int]: ...
    @property
    def absent_bytes(self) -> int: ...
    @property
    def hidden_bytes(self) -> int: ...


class ResultView(Protocol):
    """The attributes of a `MoveResult` that are shown."""

    @property
    def pages(self) -> int: ...
    @property
    def moved(self) -> int: ...
    @property
    def already_there(self) -> int | None: ...
    @property
    def failures(self) -> Mapping[Any, int]: ...
    @property
    def not_attempted(self) -> int: ...
    @property
    def untargeted(self) -> int: ...
    @property
    def runs(self) -> Runs | None: ...


class NodeView(Protocol):
    """The attributes of a `Node` that are shown."""

    @property
    def id(self) -> int: ...
    @property
    def cpus(self) -> tuple[int, ...]: ...
    @property
    def memory_total(self) -> int: ...
    @property
    def memory_free(self) -> int: ...
    @property
    def huge_pages(self) -> Mapping[int, Any]: ...
    @property
    def allowed(self) -> bool: ...
    @property
    def has_memory(self) -> bool: ...
    @property
    def has_cpus(self) -> bool: ...


class TopologyView(Protocol):
    """The attributes of a `Topology` that are shown."""

    @property
    def nodes(self) -> Mapping[int, Any]: ...
    @property
    def page_size(self) -> int: ...
    @property
    def huge_page_sizes(self) -> tuple[int, ...]: ...
    @property
    def numa(self) -> bool: ...
    def distance(self, a: int, b: int, /) -> int: ...


def off_nodes(placement: PlacementView) -> str:
    """Return how much memory is absent and how much is hidden, or '' if none is.

    Hidden memory is present, but the kernel does not tell its node.
    """
    parts = (("absent", placement.absent_bytes), ("not known", placement.hidden_bytes))
    return ", ".join(f"{name}: {format_bytes(nbytes)}" for name, nbytes in parts if nbytes)
