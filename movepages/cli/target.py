"""Parse ``--to``: a node or a layout."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import re
from typing import Any

import movepages as mp

from ..units import parse_ids, parse_size
from .failures import complain
from .id_lists import refuse_unknown_nodes

_LAYOUTS = ("interleave:", "weighted:", "blocks:", "local:", "near:")
HELP = """\
TARGET is one of
  1                       a node
  interleave:0-3          pages over these nodes in turn, continuing from
                          region to region; interleave:0,1/2MiB sets how
                          much goes to a node at a time
  weighted:0=3,1=1        the same, with three times as much on node 0
  weighted                the same by the kernel's weights, or by bandwidth
  blocks:0,1              one contiguous part of each region on each node, in
                          this order; blocks:0,0,1 gives node 0 two parts
  local:4-7               an equal part of each region near each of these CPUs
  near:eth0               the node nearest to a device: a network interface, a
                          disk, a GPU such as cuda:0, a PCI address, a file
"""


def parse_target(text: str) -> Any:
    """Convert a target to a node or a layout, as an argparse type.

    Examples
    --------
    >>> parse_target("0")
    0
    >>> parse_target("interleave:0/2MiB").block
    2097152
    >>> parse_target("blocks:0,0")
    Blocks(nodes=(0, 0))
    """
    name, _, rest = text.partition(":")
    try:
        if text.isdecimal():
            return _nodes(text)[0]
        if name == "near":
            return _node_near(rest)
        what, slash, block = rest.partition("/")
        size = parse_size(block) if slash else None
        if name == "interleave":
            return mp.interleave(_nodes(what), block=size)
        if text == "weighted":
            return mp.weighted()
        if name == "weighted":
            shares = (pair.partition("=") for pair in what.split(","))
            weights = {_one(node): _one(n) for node, _, n in shares}
            refuse_unknown_nodes(weights)
            return mp.weighted(weights, block=size)
        if name == "blocks" and not slash:
            return mp.blocks([node for part in what.split(",") for node in _nodes(part)])
        if name == "local" and not slash:
            return mp.local(_ids(what))
    except (ValueError, mp.TopologyError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    raise argparse.ArgumentTypeError(
        f"expected a node, {', '.join(_LAYOUTS[:-1])} or {_LAYOUTS[-1]}, got {text!r}{_meant(text)}"
    )


def _meant(text: str) -> str:
    """Return a sentence with the target that is most likely meant, or ''."""
    with contextlib.suppress(ValueError):
        parse_ids(text)
        return f"; for several nodes, write interleave:{text} or blocks:{text}"
    if found := re.fullmatch(r"node\s*(\d+)", text, re.IGNORECASE):
        return f"; did you mean {found[1]!r}?"
    name, _, rest = text.partition(":")
    near = difflib.get_close_matches(f"{name}:", _LAYOUTS, 1)
    return f"; did you mean {near[0] + rest!r}?" if near else ""


def _node_near(device: str) -> int:
    found = mp.near(device)
    if found.device.node not in (None, found.node):
        complain(f"note: {found}")
    return found.node


def _nodes(text: str) -> list[int]:
    ids = _ids(text)
    refuse_unknown_nodes(ids)
    return ids


def _ids(text: str) -> list[int]:
    ids = list(parse_ids(text))
    if not ids:
        raise ValueError("expected numbers after a colon, as in blocks:0,2-3")
    return ids


def _one(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"expected a number, got {text!r}")
    return int(text)
