"""``movepages demo``: an array's pages travel to every node and back, under a witness's eyes."""

from __future__ import annotations

import argparse
import hashlib
import json
from typing import Any

import numpy as np
import numpy.typing as npt

import movepages as mp

from .sizes import size

# The part left untouched, so that there is something absent to be seen.
_UNTOUCHED = 8
# A node is not filled to the brim for a demonstration.
_SPARE_BYTES = 16 << 20

_SCHEMA = """\
--json prints one object: page_size, nodes (as topology().as_dict()), array (bytes, pages,
bytes_per_node, absent_bytes), steps (a list: target, pages, moved, already_there, failed by reason,
not_attempted, seconds, error or null, verified, differing), skipped (node, free_bytes), verified,
differing, looks, contents_unchanged."""


def add_to(commands: Any) -> None:
    """Add the sub-command to argparse's."""
    parser = commands.add_parser(
        "demo",
        help="move an array to every node and back, and verify each step",
        description=__doc__,
        epilog=_SCHEMA,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--size", type=size, default=64 << 20, help="size of the array (default: 64MiB)"
    )
    parser.add_argument("--json", action="store_true", help="print data instead of tables")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the demonstration; 0 only if every claim was verified."""
    if options.json:
        show = Journey(options.size)
        show.travel()
        print(json.dumps(show.as_dict(), indent=2))
    else:
        # Only what draws needs rich: --json works without.
        from . import draw

        show = draw.watch(Journey(options.size))
    return 0 if show.holds else 1


class Journey:
    """One array, the moves made with it, and what get_mempolicy(2) said after each."""

    def __init__(self, nbytes: int) -> None:
        self.topology = mp.topology()
        self.array: npt.NDArray[np.uint8] = np.empty(nbytes, np.uint8)
        self.touched = self.array[: nbytes - nbytes // _UNTOUCHED]
        self.touched[:] = np.resize(np.arange(251, dtype=np.uint8), len(self.touched))
        self._contents = self._digest()
        self.steps: list[dict[str, Any]] = []
        self.skipped: list[dict[str, int]] = []
        self.verified = self.differing = self.looks = 0
        self.before = mp.where(self.array)
        self._verify(self.before)

    @property
    def targets(self) -> list[int]:
        """Nodes to travel to: allowed, with room, and not the one where most of the array is."""
        here = max(self.before.bytes_per_node, key=self.before.bytes_per_node.__getitem__)
        return [node for node in self.topology.allowed_nodes if node != here]

    def travel(self) -> None:
        """Make all steps."""
        for node in self.targets:
            self.step_to(node)
        if self.steps:
            self.step_back()

    def step_to(self, node: int) -> dict[str, Any] | None:
        """Move what was touched to one node; None where that has no room."""
        free = self.topology.node(node).memory_free
        if free < self.touched.nbytes + _SPARE_BYTES:
            self.skipped.append({"node": node, "free_bytes": free})
            return None
        return self._step(f"node {node}", self.touched, node)

    def step_back(self) -> dict[str, Any]:
        """Move everything back to where it was in the beginning."""
        return self._step("back", self.array, self.before)

    @property
    def contents_unchanged(self) -> bool:
        """Whether the array holds what was written to it."""
        return self._digest() == self._contents

    @property
    def holds(self) -> bool:
        """Whether all that was claimed is so."""
        complete = all(step["error"] is None and not step["failed"] for step in self.steps)
        return complete and self.differing == 0 and self.contents_unchanged

    def as_dict(self) -> dict[str, Any]:
        """Return plain data, as described in the help."""
        return {
            "page_size": self.before.page_size,
            "nodes": self.topology.as_dict(),
            "array": {
                "bytes": self.before.nbytes,
                "pages": self.before.pages,
                "bytes_per_node": {str(k): v for k, v in self.before.bytes_per_node.items()},
                "absent_bytes": self.before.absent_bytes,
            },
            "steps": self.steps,
            "skipped": self.skipped,
            "verified": self.verified,
            "differing": self.differing,
            "looks": self.looks,
            "contents_unchanged": self.contents_unchanged,
        }

    def _step(
        self, title: str, part: npt.NDArray[np.uint8], target: int | mp.Placement
    ) -> dict[str, Any]:
        error = None
        try:
            result = mp.move(part, target)
        except mp.MovePagesError as failure:
            if failure.result is None:
                raise
            result, error = failure.result, failure.strerror
        verified, differing = self._verify(mp.where(self.array))
        step = {
            "target": title,
            "pages": result.pages,
            "moved": result.moved,
            "already_there": result.already_there,
            "failed": {status.name: count for status, count in result.failures.items()},
            "not_attempted": result.not_attempted,
            "seconds": result.seconds,
            "error": error,
            "verified": verified,
            "differing": differing,
        }
        self.steps.append(step)
        return step

    def _verify(self, placement: mp.Placement) -> tuple[int, int]:
        """Hold a placement against get_mempolicy(2), for the pages that have memory."""
        status = placement.status
        present = status >= 0
        witness = mp.mempolicy_nodes(placement.addresses[present])
        differing = int(np.count_nonzero(witness != status[present]))
        self.verified += len(witness)
        self.differing += differing
        self.looks += 1
        return len(witness), differing

    def _digest(self) -> bytes:
        return hashlib.blake2b(self.touched.data).digest()
