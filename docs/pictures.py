"""Draws what each layout makes of an array, as docs/pictures/*.svg: `python docs/pictures.py`.

Layouts are functions: what they want is known without the nodes they name.
"""

from __future__ import annotations

import argparse
import mmap
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest import mock

import numpy as np

import movepages as mp
from movepages.display.svg import placement_svg
from movepages.layouts import blocks
from movepages.pages.buffers import footprint_of
from movepages.pages.runs import find_runs, join_runs
from movepages.results.absence import nothing_absent
from movepages.results.parts import placement_of

PAGE = mmap.PAGESIZE
FRAME = 512 * PAGE
PAGES = 64


def memory(pages: int) -> np.ndarray[Any, Any]:
    """Return untouched memory that begins where a huge page may, wherever the kernel puts it."""
    whole = np.frombuffer(mmap.mmap(-1, pages * PAGE + FRAME), np.uint8)
    ahead = -whole.ctypes.data % FRAME
    return whole[ahead : ahead + pages * PAGE]


def wanted(layout: Any, array: np.ndarray[Any, Any]) -> mp.Placement:
    """Return the placement that an array has once it is laid out."""
    footprint = footprint_of(array)
    addresses = np.concatenate([some for some, _ in footprint.chunks(1 << 16)])
    runs = find_runs(addresses, mp.targets(array, layout), footprint)
    several = array.ndim > 1
    return placement_of(
        footprint,
        join_runs([runs], footprint.page_size),
        nothing_absent(),
        shape=array.shape if several else (),
        strides=array.strides if several else (),
        source="move_pages",
    )


def two_sockets() -> mp.Topology:
    """Return a machine of two nodes with four CPUs each, for what depends on a machine."""
    here = mp.topology()
    some = next(iter(here.nodes.values()))
    nodes = {
        node: replace(
            some, id=node, cpus=tuple(range(4 * node, 4 * node + 4)), has_memory=True,
            allowed=True, distances={other: 10 if other == node else 21 for other in (0, 1)},
        )
        for node in (0, 1)
    }  # fmt: skip
    return replace(here, nodes=MappingProxyType(nodes))


def pictures() -> dict[str, str]:
    """Return the pictures by the names of their files."""
    row, matrix = memory(PAGES), memory(32 * 16).reshape(32, 16 * PAGE)
    other = wanted(mp.blocks([0, 0, 0, 1, 2, 2]), memory(4 * PAGES))
    with mock.patch.object(blocks, "read_topology", two_sockets):
        local = mp.local(range(8))
    four = [0, 1, 2, 3]
    drawn = {
        "before": (mp.blocks([0]), matrix, "a = np.ones(...): one thread wrote all of it"),
        "after": (mp.by_axis(0, four), matrix, "move(a, by_axis(0, [0, 1, 2, 3]))"),
        "interleave": (mp.interleave(four), row, "interleave([0, 1, 2, 3])"),
        "interleave-block": (
            mp.interleave(four, block=8 * PAGE),
            row,
            f"interleave([0, 1, 2, 3], block={8 * PAGE})",
        ),
        "weighted": (mp.weighted({0: 3, 1: 1}), row, "weighted({0: 3, 1: 1})"),
        "blocks": (mp.blocks(four), row, "blocks([0, 1, 2, 3])"),
        "by-axis-0": (mp.by_axis(0, four), matrix, "by_axis(0, [0, 1, 2, 3])"),
        "by-axis-1": (mp.by_axis(1, four), matrix, "by_axis(1, [0, 1, 2, 3])"),
        "like-other": (mp.like(other), memory(4 * PAGES), "an array b that is placed already"),
        "like": (mp.like(other), row, "like(b), of an array a quarter as long"),
        "local": (local, row, "local(range(8)), where CPUs 0-3 are on node 0 and 4-7 on node 1"),
    }
    return {
        f"{name}.svg": placement_svg(wanted(layout, array), title, alone=True) + "\n"
        for name, (layout, array, title) in drawn.items()
    }


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    folder = Path(__file__).with_name("pictures")
    parser.add_argument("folder", nargs="?", type=Path, default=folder)
    folder = parser.parse_args().folder
    folder.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        (folder / name).write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
