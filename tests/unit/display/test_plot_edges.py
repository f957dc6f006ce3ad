"""Extreme pictures by matplotlib: few pixels, one row, little room, another process."""

import pickle

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

import movepages as mp
from movepages.display.palette import colour
from picture_fixtures import ABSENT, PAGE, placed

# Pictures are the same on every kernel, and slow under emulation.
pytestmark = pytest.mark.host


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    pyplot.close("all")


def shown(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[:, :, :3] / 255


@pytest.mark.parametrize(("across", "rows"), [(1, 1), (3, 1), (1, 50)])
@pytest.mark.parametrize("rest", [ABSENT, 0])
def test_single_page_is_visible_in_few_pixels(across, rows, rest):
    """A picture with fewer pixels than cells could leave cells out, and one page has no height."""
    for at in range(0, 512, 61):
        figure, axes = pyplot.subplots(1, across, squeeze=False)
        placed([1000 * at + 500, 1, 511_499 - 1000 * at], [rest, 3, rest]).plot(
            axes[0, 0], rows=rows
        ).get_legend().remove()
        there = np.abs(shown(figure) - to_rgb(colour(3))).max(axis=2) < 0.01
        assert there.any(), at
        pyplot.close(figure)


@pytest.mark.parametrize("rows", [2, 3, 9, 40])
def test_labels_beside_rows_are_not_cut_off(rows):
    ax = placed([100, 100], [0, 1]).plot(rows=rows)
    shown(ax.figure)
    words, frame = ax.yaxis.label.get_window_extent(), ax.figure.bbox
    assert frame.y0 <= words.y0
    assert words.y1 <= frame.y1


@pytest.mark.parametrize("shape", [(1, 4 * PAGE), (4 * PAGE, 1), (1, 1, 4 * PAGE), (2, 2 * PAGE)])
def test_ticks_of_rows_and_columns_are_their_numbers(shape):
    ax = placed([4], [0], shape=shape).plot()
    shown(ax.figure)
    for axis, count in ((ax.yaxis, shape[0]), (ax.xaxis, np.prod(shape[1:]))):
        low, high = sorted(axis.get_view_interval())
        marks = [mark for mark in axis.get_majorticklocs() if low <= mark <= high]
        assert marks
        assert set(marks) <= set(range(count))


# Figures of matplotlib before 3.8 contain itertools.cycle, which Python 3.12 deprecates there.
@pytest.mark.filterwarnings("ignore:Pickle, copy, and deepcopy support:DeprecationWarning")
@pytest.mark.parametrize("shape", [(), (2, PAGE)])
def test_figure_can_be_pickled(shape):
    ax = placed([1, 1], [0, 1], shape=shape).plot()
    again = pickle.loads(pickle.dumps(ax.figure))
    assert np.array_equal(shown(again), shown(ax.figure))


def test_nodes_with_few_bytes_have_their_names_beside_them():
    flows = {(0, 1): 100_000 * PAGE, (2, 3): PAGE, (4, 3): PAGE}
    ax = mp.Plan(pages=1, page_size=PAGE, flows=flows).plot()
    words = {text.get_text(): text for text in ax.texts}
    assert {"0", "1", "2: 4 KiB", "3: 8 KiB", "4: 4 KiB"} <= words.keys()
    shown(ax.figure)
    above, below = (words[each].get_window_extent() for each in ("2: 4 KiB", "4: 4 KiB"))
    assert below.y1 < above.y0
