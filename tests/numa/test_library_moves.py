"""Objects of libraries move: get_mempolicy(2) finds their pages, with their bytes unchanged."""

import ctypes
import hashlib
import importlib
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import nodes, witness

LIBRARIES = Path(__file__).parents[1] / "libraries"


def kinds():
    """Yield a maker for each kind of object of each library."""
    for file in sorted(LIBRARIES.glob("kinds_*.py")):
        try:
            module = importlib.import_module(f"libraries.{file.stem}")
        except ModuleNotFoundError:
            continue
        for name, make in module.KINDS:
            yield pytest.param(make, id=f"{file.stem.removeprefix('kinds_')}-{name}")


def contents(found: mp.Placement | mp.Placements) -> list[str]:
    """Return a digest of memory of each member, from its lowest address on.

    Python objects are left out: they do not lie in one piece, and their reference counts change.
    """
    members = [found]
    if isinstance(found, mp.Placements):
        members = [each for name, each in found.items() if not name.endswith("objects")]
    memory = (ctypes.string_at(each.address, each.nbytes) for each in members if each.nbytes)
    return [hashlib.sha256(each).hexdigest() for each in memory]


def placed(found: mp.Placement) -> np.ndarray:
    """Return the pages that have memory on a node."""
    return found.addresses[found.status >= 0]


@pytest.mark.parametrize("make", list(kinds()))
def test_a_kind_of_object_moves(two_nodes, make):
    first, second = nodes.allowed()[:2]
    obj = make()
    before = mp.where(obj)
    total = before.total if isinstance(before, mp.Placements) else before
    assert total.nbytes >= 1 << 20
    digests = contents(before)
    for node in (first, second):
        result = mp.move(obj, node)
        pages = placed(total)
        on_node = witness.nodes_at_once(pages) == node
        # Pages of shared libraries and interned objects may be mapped by others, and stay.
        assert on_node.mean() > 0.95, str(result)
        assert result.moved + (result.already_there or 0) == np.count_nonzero(on_node)
    again = mp.where(obj)
    assert contents(again) == digests
    if isinstance(again, mp.Placements):
        assert {name: each.address for name, each in again.items()} == {
            name: each.address for name, each in before.items()
        }
    else:
        assert again.address == before.address
