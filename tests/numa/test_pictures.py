"""Arrays on several nodes are drawn in the colours of the nodes that get_mempolicy(2) names."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

import movepages as mp
from movepages.display.palette import colour
from support import memory, nodes, witness

PAGE = memory.PAGE
PAGES = 64
# The number of cells in a strip, a multiple of the number of pages.
CELLS = 512


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    pyplot.close("all")


@pytest.fixture
def spread(two_nodes):
    """Return an array with its pages on random nodes, and some absent."""
    a = memory.anonymous(PAGES * PAGE)
    order = np.random.default_rng(1)
    for page, node in enumerate(order.choice([*nodes.allowed(), -1], PAGES).tolist()):
        if node >= 0:
            piece = a[page * PAGE : (page + 1) * PAGE]
            memory.bind(piece, node)
            memory.touch(piece)
    return a


def expected(a):
    """Return the colour of each page by the witness; "" for an absent page."""
    addresses = memory.pages_of(a)
    there = witness.present(addresses)
    found = np.full(len(addresses), "", dtype="U7")
    found[there] = [colour(node) for node in witness.nodes_of(addresses[there]).tolist()]
    return found


def drawn(ax):
    values = np.asarray(ax.get_images()[0].get_array())
    found, which = np.unique(values.reshape(-1, values.shape[-1]), axis=0, return_inverse=True)
    names = np.array(["" if not each[3] else to_hex(each / 255) for each in found])
    return names[which.reshape(values.shape[:2])]


def test_a_strip(spread):
    wanted = expected(spread)
    assert len(set(wanted.tolist())) > 2
    seen = drawn(mp.where(spread).plot())
    assert (seen == np.repeat(wanted, CELLS // PAGES)).all()


def test_rows_and_columns(spread):
    matrix = spread.reshape(PAGES, PAGE)
    seen = drawn(mp.where(matrix).plot())
    assert (seen == expected(spread)[:, None]).all()
    upright = drawn(mp.where(matrix.T).plot())
    assert (upright == expected(spread)[None, :]).all()


def test_after_a_move_too(spread):
    allowed = nodes.allowed()[:2]
    mp.touch(spread)
    mp.move(spread, mp.interleave(allowed, block=PAGE)).raise_for_status()
    wanted = expected(spread)
    assert set(wanted.tolist()) == {colour(node) for node in allowed}
    assert (drawn(mp.where(spread).plot())[0] == np.repeat(wanted, CELLS // PAGES)).all()


def test_the_line_of_text(spread):
    addresses = memory.pages_of(spread)
    there = witness.present(addresses)
    wanted = np.full(PAGES, ".")
    wanted[there] = [str(node) for node in witness.nodes_of(addresses[there]).tolist()]
    assert max(nodes.allowed()) < 10
    assert mp.where(spread).strip() == "".join(wanted)


def test_a_plan(spread):
    mp.touch(spread)
    first, second = nodes.allowed()[:2]
    ax = mp.plan(spread, second).plot()
    addresses = memory.pages_of(spread)
    there = int((witness.nodes_of(addresses) == first).sum()) * PAGE // 1024
    assert f"{first} to {second}: {there} KiB" in [patch.get_label() for patch in ax.patches]
