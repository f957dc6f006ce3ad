"""Cells of a picture of memory: each shows the nodes in proportion to their bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import movepages as mp
from movepages.display.grid import grid
from movepages.display.palette import HATCH, PALE, colour, ink
from movepages.display.sampling import (
    ABSENT,
    CellMix,
    cells,
    divide,
    pick,
    stack,
    symbols,
    visible,
)
from picture_fixtures import ABSENT as GONE
from picture_fixtures import PAGE, many, placed
from support import memory

# Pictures are the same on every kernel, and slow under emulation.
pytestmark = pytest.mark.host

STRETCHES = st.lists(st.tuples(st.integers(1, 50), st.integers(-1, 3)), min_size=1, max_size=20)


@given(STRETCHES, st.integers(1, 40))
def test_shares_of_cells_match_a_count_of_every_byte(stretches, count):
    sizes, kinds = (np.array(column) for column in zip(*stretches, strict=True))
    shares = divide(sizes, kinds.astype(np.int32), count)
    # Each unit is cut into as many pieces as there are cells, so every cell has whole pieces.
    pieces = np.repeat(np.repeat(kinds, sizes), count).reshape(count, -1)
    for k, kind in enumerate(shares.kinds):
        assert shares.parts[:, k] == pytest.approx((pieces == kind).mean(axis=1), abs=1e-6)


@given(STRETCHES, st.integers(1, 40))
def test_kind_picked_for_a_cell_is_in_it(stretches, count):
    sizes, kinds = (np.array(column) for column in zip(*stretches, strict=True))
    shares = divide(sizes, kinds.astype(np.int32), count)
    for parts, kind in zip(shares.parts, pick(shares), strict=True):
        assert parts[list(shares.kinds).index(kind)] > 0


def test_each_cell_is_a_page_if_pages_are_few():
    p = placed([1, 1, 1], [2, GONE, 0])
    assert pick(cells(p, 80)) == [2, ABSENT, 0]
    assert p.strip() == "2.0"
    assert p.strip(1) in ("0", "2", ".")


def test_partly_covered_pages_get_a_character_too():
    a = memory.anonymous(3 * PAGE)
    a[PAGE] = 1
    (node,) = mp.where(a).bytes_per_node
    assert mp.where(a[PAGE - 5 : 2 * PAGE + 5]).strip() == f".{node}."


def test_interleaved_pages_show_both_nodes():
    p = placed([1] * 4096, [0, 1] * 2048)
    assert 30 <= p.strip(64).count("0") <= 34
    assert p.strip(64).count("0") + p.strip(64).count("1") == 64


def test_letters_for_long_node_numbers_and_an_invalid_width():
    assert placed([1, 1, 1], [3, 12, GONE]).strip() == "AB."
    assert symbols([0, 9]) == {0: "0", 9: "9"}
    assert mp.where(np.empty(0)).strip() == ""
    with pytest.raises(ValueError, match="width: expected a whole number from 1, got 0"):
        placed([1], [0]).strip(0)
    with pytest.raises(TypeError, match="width: expected a whole number from 1, got '3'"):
        placed([1], [0]).strip("3")


def test_a_million_runs_in_a_few_cells():
    shares = cells(many(10**6), 100)
    present = shares.parts[:, shares.kinds >= 0].sum(axis=1)
    assert shares.parts.shape == (100, 5)
    assert present == pytest.approx(0.8, abs=0.01)


def test_small_shares_of_present_pages_stay_visible():
    shares = CellMix(np.array([ABSENT, 0, 1], np.int32), np.array([[0.99, 0.01, 0], [0, 0.3, 0.7]]))
    found = visible(shares, 0.25, 0.0)
    assert found.parts.tolist() == [[0.75, 0.25, 0], [0, 0.3, 0.7]]
    assert np.unique(stack(found, 100)[:, 0], return_counts=True)[1].tolist() == [75, 25]
    assert visible(CellMix(shares.kinds, np.array([[1.0, 0, 0]])), 0.25, 0.1).parts.tolist() == [
        [1, 0, 0]
    ]


@given(STRETCHES, st.integers(1, 40))
def test_every_kind_in_a_cell_is_drawn(stretches, count):
    sizes, kinds = (np.array(column) for column in zip(*stretches, strict=True))
    shares = divide(sizes**4, kinds.astype(np.int32), count)
    found = visible(shares, 0.25, 1 / 12)
    drawn = stack(found, 24)
    for parts, column in zip(shares.parts, drawn.T, strict=True):
        assert set(column.tolist()) == set(shares.kinds[parts > 0].tolist())
    assert found.parts.sum(axis=1) == pytest.approx(1)


SHAPES = {
    "C": lambda a: a[: 64 * 300].reshape(64, 300),
    "Fortran": lambda a: a[: 64 * 300].reshape(300, 64).T,
    "backwards": lambda a: a[: 64 * 300].reshape(64, 300)[::-2, ::-1],
    "three axes": lambda a: a[: 64 * 300].reshape(16, 4, 300)[:, ::2],
    "broadcast": lambda a: np.broadcast_to(a[:300], (64, 300)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_each_element_is_drawn_where_its_page_is(name):
    memory_of_all = memory.anonymous(64 * 300 * 8)
    memory_of_all[: 3 * PAGE] = memory_of_all[-9 * PAGE :] = 1
    array = SHAPES[name](memory_of_all.view(np.float64))
    p = mp.where(array)
    node = dict(zip(p.addresses.tolist(), p.status.tolist(), strict=True))
    found = grid(p, 1000, 1000)
    for row, column in np.ndindex(found.shape):
        index = (row, *np.unravel_index(column, array.shape[1:]))
        element = array[tuple(slice(i, i + 1) for i in index)]
        expected = node[element.ctypes.data // PAGE * PAGE]
        assert found[row, column] == max(expected, ABSENT)
    assert found.size == array.size
    assert name == "broadcast" or {ABSENT} < set(found.ravel().tolist())


def test_sampled_cells_have_the_shares_of_their_elements():
    p = placed([1] * 4096, [0, 1] * 2048, shape=(4096, PAGE))
    found = grid(p, 64, 64)
    assert found.shape == (64, 64)
    assert (found == 0).mean() == pytest.approx(0.5, abs=0.02)
    halves = grid(placed([2048, 2048], [5, 7], shape=(4096, PAGE)), 64, 64)
    assert halves[:32].tolist() == [[5] * 64] * 32
    assert halves[32:].tolist() == [[7] * 64] * 32


def test_an_axis_without_elements():
    assert grid(mp.where(np.empty((0, 5))), 10, 10).shape == (0, 5)


def test_the_shape_goes_through_a_file(tmp_path):
    a = np.ones((30, 4000))[:, ::-1]
    mp.where(a).save(tmp_path / "p")
    again = mp.Placement.load(tmp_path / "p")
    assert (again.shape, again.strides) == (a.shape, a.strides)
    assert np.array_equal(grid(again, 9, 9), grid(mp.where(a), 9, 9))


def test_file_without_a_shape_is_read(tmp_path):
    mp.where(np.ones(1000)).save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as found:
        np.savez(tmp_path / "old.npz", **{name: found[name] for name in found if name != "axes"})
    assert mp.Placement.load(tmp_path / "old.npz").shape == ()


def test_colours_differ_and_can_be_written_on():
    forty = [colour(node) for node in range(40)]
    assert len({*forty, PALE, HATCH}) == 42
    assert colour(1000) in forty
    for background in forty:
        assert contrast(background, ink(background)) >= 4.5


# Machado, Oliveira and Fernandes (2009), for linear RGB: one kind of cone is missing entirely.
VISIONS = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
}  # fmt: skip
# From linear RGB to the cones of OKLab, and from their cube roots to lightness and two hues.
TO_CONES = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
TO_LAB = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(("nodes", "least"), [(4, 0.14), (8, 0.07), (40, 0.025)])
def test_colours_are_distinguishable(vision, nodes, least):
    rgb = np.array([linear(each) for each in [*map(colour, range(nodes)), PALE]])
    seen = np.clip(rgb @ np.transpose(VISIONS[vision]), 0, 1)
    lab = np.cbrt(seen @ np.transpose(TO_CONES)) @ np.transpose(TO_LAB)
    apart = np.linalg.norm(lab[:, None] - lab[None, :], axis=2)
    assert apart[np.triu_indices(len(lab), 1)].min() > least


def contrast(first, second):
    """Return the contrast of two colours by the accessibility guidelines (WCAG 2)."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def luminance(hexadecimal):
    return float(np.dot(linear(hexadecimal), [0.2126, 0.7152, 0.0722]))


def linear(hexadecimal):
    parts = [int(hexadecimal[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
