"""Totals: what is known of all members together, by the names that a `Placement` has for it."""

from __future__ import annotations

from .absence import Absence
from .placement import Placement


class Totals:
    """Bytes and pages of `total`, in which those that members share count once."""

    total: Placement

    @property
    def nbytes(self) -> int:
        """Distinct bytes of all members."""
        return self.total.nbytes

    @property
    def pages(self) -> int:
        """Distinct pages of all members."""
        return self.total.pages

    @property
    def bytes_per_node(self) -> dict[int, int]:
        """Distinct bytes on each node, leaving out nodes that have none."""
        return self.total.bytes_per_node

    @property
    def pages_per_node(self) -> dict[int, int]:
        """Distinct pages on each node, leaving out nodes that have none."""
        return self.total.pages_per_node

    @property
    def absent_bytes(self) -> int:
        """Distinct bytes on no node."""
        return self.total.absent_bytes

    @property
    def absent_pages(self) -> int:
        """Distinct pages on no node."""
        return self.total.absent_pages

    @property
    def absent_reasons(self) -> dict[Absence, int]:
        """Count of the distinct pages on no known node, by reason."""
        return self.total.absent_reasons
