"""Move each kind of object of libraries, and check every page: python move_kinds.py LIBRARY ...

This is a program of its own, because libraries start threads, and other tests fork.
"""

import ctypes
import hashlib
import importlib
import sys

import numpy as np

import movepages as mp
from support import nodes, witness

# Pages of objects that other processes map too stay where they are.
_MOST_STAY = 0.02


def members(found: mp.Placement | mp.Placements) -> dict[str, mp.Placement]:
    """Return the placement of each member."""
    return dict(found) if isinstance(found, mp.Placements) else {"": found}


def contents(found: mp.Placement | mp.Placements) -> list[str]:
    """Return a digest of memory of each member, from its lowest address on."""
    # Objects of Python are scattered, and their reference counts change.
    arrays = {name: each for name, each in members(found).items() if not name.endswith("objects")}
    some = (each for each in arrays.values() if each.nbytes)
    memory = (ctypes.string_at(each.address, each.nbytes) for each in some)
    return [hashlib.sha256(each).hexdigest() for each in memory]


def check(name: str, obj: object) -> None:
    """Move an object to two nodes in turn."""
    before = mp.where(obj)
    total = before.total if isinstance(before, mp.Placements) else before
    assert total.nbytes >= 1 << 20, f"{name}: {total.nbytes} bytes"
    digests = contents(before)
    for node in nodes.allowed()[:2]:
        result = mp.move(obj, node)
        # Reading the contents faulted in pages that were absent before.
        now = mp.where(obj)
        status = now.total.status if isinstance(now, mp.Placements) else now.status
        pages = total.addresses[status >= 0]
        on_node = witness.nodes_at_once(pages) == node
        assert 1 - on_node.mean() <= _MOST_STAY, f"{name}: {result}"
        placed = result.moved + (result.already_there or 0)
        assert placed == np.count_nonzero(on_node), f"{name}: {result}, found {on_node.sum()}"
        print(f"{name:36}{total.nbytes:>12,} bytes on node {node}: {on_node.mean():.1%}")
    after = mp.where(obj)
    assert contents(after) == digests, f"{name}: contents changed"
    addresses = {member: each.address for member, each in members(before).items()}
    assert {member: each.address for member, each in members(after).items()} == addresses


def main(library: str) -> str:
    """Move the kinds of a library, if it is installed; return what was done."""
    try:
        kinds = importlib.import_module(f"libraries.kinds_{library}").KINDS
    except ModuleNotFoundError as missing:
        return f"needs {missing.name}"
    for name, make in kinds:
        check(name, make())
    return f"moved {len(kinds)} kinds"


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(f"{each}: {main(each)}", flush=True)
