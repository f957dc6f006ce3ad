"""Where the pages of an array are, by movepages and by get_mempolicy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

import movepages as mp

from .cargo import SLICE, Array, touched

_LOOKS_AT_MOST = 3


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where every page is, by movepages, and what get_mempolicy says to that.

    Attributes
    ----------
    placement : Placement
        What `movepages.where` said.
    looked : int
        Pages get_mempolicy was asked about: those present and those that were written to. Others
        are absent, and it would fault them in.
    verified : int
        Pages of these which it finds on the same node.
    disagreement : str
        What differs, in one sentence; empty if nothing does.
    """

    placement: mp.Placement
    looked: int
    verified: int
    disagreement: str = ""

    @property
    def ok(self) -> bool:
        """True when both sources agree on every page."""
        return self.verified == self.looked

    def as_dict(self) -> dict[str, Any]:
        """Return plain numbers and strings for JSON."""
        nodes = self.placement.bytes_per_node
        return {
            "bytes_per_node": {str(node): count for node, count in nodes.items()},
            "absent_bytes": self.placement.absent_bytes,
            "looked": self.looked,
            "verified": self.verified,
            "disagreement": self.disagreement or None,
        }


def take_look(array: Array) -> Look:
    """Ask movepages where every page is, and get_mempolicy about each that holds something.

    The kernel's NUMA balancing may move a page between the two questions, and may hide it from the
    first until somebody touches it, as the second does. So both are asked again when the answers
    differ; a wrong answer stays wrong.
    """
    for _ in range(_LOOKS_AT_MOST):
        look = _compare(mp.where(array), touched(array).nbytes)
        if look.ok:
            break
    return look


def _compare(placement: mp.Placement, written: int) -> Look:
    every, status = placement.addresses, placement.status
    asked = (status >= 0) | (every < placement.address + written)
    addresses, expected = every[asked], status[asked]
    verified, disagreement = 0, ""
    for at in range(0, len(addresses), SLICE):
        witness = mp.mempolicy_nodes(addresses[at : at + SLICE])
        differs = np.flatnonzero(witness != expected[at : at + SLICE])
        verified += len(witness) - len(differs)
        if len(differs) and not disagreement:
            first = int(differs[0])
            disagreement = (
                f"of the page at {addresses[at + first]:#x} movepages says "
                f"{_answer(int(expected[at + first]))}, get_mempolicy says "
                f"{_answer(int(witness[first]))}"
            )
    if disagreement:
        differing = len(addresses) - verified
        disagreement += f"; {differing:,} of {len(addresses):,} pages differ"
    return Look(
        placement=placement, looked=len(addresses), verified=verified, disagreement=disagreement
    )


def _answer(code: int) -> str:
    return f"node {code}" if code >= 0 else f"{os.strerror(-code)!r} (errno {-code})"
