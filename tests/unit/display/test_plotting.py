"""The figure that plot() draws is read back: its colours, texts and numbers."""

import subprocess
import sys
import time
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import PathPatch

import movepages as mp
from movepages.display.palette import HATCH, PALE, colour
from movepages.units import byte_marks, format_bytes
from picture_fixtures import ABSENT, PAGE, many, placed

# Pictures are the same on every kernel, and slow under emulation.
pytestmark = pytest.mark.host

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _figures():
    mpl.use("Agg")
    yield
    pyplot.close("all")


def pixels(ax, image=0):
    """Return the colours of an image as strings, "" for transparent pixels."""
    values = np.asarray(ax.get_images()[image].get_array())
    return np.array([["" if not each[3] else to_hex(each / 255) for each in row] for row in values])


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_a_strip_has_the_colours_of_its_pages():
    ax = placed([256, 128, 128], [0, 9, ABSENT]).plot()
    drawn = pixels(ax)
    assert (drawn == drawn[0]).all()
    assert drawn[0].tolist() == [colour(0)] * 256 + [colour(9)] * 128 + [""] * 128
    assert legend(ax) == ["node 0: 1 MiB", "node 9: 512 KiB", "absent: 512 KiB"]
    assert [to_hex(patch.get_facecolor()) for patch in ax.get_legend().get_patches()] == [
        colour(0), colour(9), PALE,
    ]  # fmt: skip
    assert words(ax) == ["0", "9"]
    assert ax.get_xlabel() == "offset from the array's start (MiB)"
    assert ax.get_xlim() == (0, 2 * MIB)
    marks = [label.get_text() for label in ax.get_xticklabels()]
    assert marks == ["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "1.75", "2"]


def test_absent_pages_are_hatched_in_the_figure_itself():
    ax = placed([256, 256], [0, ABSENT]).plot()
    ax.figure.canvas.draw()
    seen = np.asarray(ax.figure.canvas.buffer_rgba())[:, :, :3] / 255
    box = ax.get_window_extent()
    inside = seen[len(seen) - int(box.y1) + 2 : len(seen) - int(box.y0) - 2]
    half = int(box.x0 + box.width / 2)
    right = inside[:, half + 3 : int(box.x1) - 2].reshape(-1, 3)
    left = inside[:, int(box.x0) + 2 : half - 3].reshape(-1, 3)
    assert (np.abs(left - to_rgb(colour(0))).max(axis=1) < 0.01).mean() > 0.9
    pale, line = (np.abs(right - to_rgb(each)).max(axis=1) < 0.05 for each in (PALE, HATCH))
    assert pale.mean() > 0.3
    assert line.mean() > 0.01


def test_an_interleaved_array_is_drawn_as_half_and_half():
    ax = placed([1] * 65536, [0, 1] * 32768).plot()
    drawn = pixels(ax)
    assert (drawn == drawn[:, :1]).all()
    assert drawn[:, 0].tolist() == [colour(0)] * 32 + [colour(1)] * 32
    assert tuple(ax.get_images()[0].get_extent()) == (0, 65536 * PAGE, 1, 0)
    assert ax.get_ylim() == (1, 0)
    assert words(ax) == []


def test_single_page_in_a_terabyte_is_visible():
    half = 1 << 27
    p = placed([half + 9, 1, half - 10], [ABSENT, 3, ABSENT])
    ax = p.plot()
    seen = pixels(ax) == colour(3)
    assert np.flatnonzero(seen.any(axis=0)).tolist() == [256]
    assert seen[:, 256].sum() == 16
    assert legend(ax) == ["node 3: 4 KiB", "absent: 1 TiB"]
    assert ax.get_xlabel() == "offset from the array's start (GiB)"


@given(st.integers(1, 1 << 63))
@example((1 << 51) + 1)
def test_ticks_are_few_but_not_too_few(span):
    step, unit, size = byte_marks(span)
    assert span / step <= 8
    assert span / step > 4 or step == 1
    assert format_bytes(size) == f"1 {unit}"
    # The number at a tick is short: it is whole, or ends in a half or a quarter.
    assert step * 4 % size == 0


def test_addresses_are_wrapped_into_rows():
    p = placed([100, 100, 100, 100], [0, 1, 2, ABSENT], shape=(400, PAGE))
    ax = p.plot(rows=4)
    drawn = [set(pixels(ax, row).ravel().tolist()) for row in range(4)]
    assert drawn == [{colour(0)}, {colour(1)}, {colour(2)}, {""}]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "0 B", "400 KiB", "800 KiB", "1.2 MiB",
    ]  # fmt: skip
    assert len(placed([3], [0]).plot(rows=10).get_images()) == 3
    with pytest.raises(ValueError, match="rows: expected a whole number from 1, got 0"):
        p.plot(rows=0)


def test_an_array_of_two_axes_is_drawn_in_its_shape():
    p = placed([30, 10], [1, 0], shape=(40, PAGE))
    ax = p.plot()
    drawn = pixels(ax)
    assert drawn.shape == (40, 512)
    assert (drawn[:30] == colour(1)).all()
    assert (drawn[30:] == colour(0)).all()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("column", "row")
    # Row 0 is at the top, and the middle of a row has its number.
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, PAGE - 0.5), (39.5, -0.5))
    deep = placed([4], [0], shape=(2, 2, PAGE)).plot()
    assert deep.get_xlabel() == "index of axes 1, 2 in C order"


def test_columns_of_a_fortran_array_stand_upright():
    a = np.asfortranarray(np.zeros((PAGE // 8, 40)))
    a[:, :20] = 1
    node = min(mp.where(a).bytes_per_node)
    drawn = pixels(mp.where(a).plot())
    assert drawn.shape == a.shape
    assert (drawn[:, :20] == colour(node)).all()


def test_plot_into_given_axes():
    figure, (above, below) = pyplot.subplots(2)
    assert placed([1], [0]).plot(below) is below
    assert not above.get_images()
    assert mp.plan(np.ones(1000), 0).plot(above) is above
    assert pyplot.get_fignums() == [figure.number]


def test_memory_with_gaps_has_no_offsets():
    a = np.ones(64 * PAGE, np.uint8).reshape(8, -1)[:, :PAGE]
    ax = mp.where(a).plot(rows=1)
    assert ax.get_xlabel() == "bytes of the array, by address (KiB)"
    assert ax.get_xlim() == (0, 8 * PAGE)


def test_empty_array():
    ax = mp.where(np.empty(0)).plot()
    assert words(ax) == ["no memory: the array is empty"]
    assert ax.get_legend() is None
    assert mp.where(np.empty((0, 3))).plot().get_legend() is None


@pytest.mark.parametrize("rows", [None, 16])
def test_a_million_runs_are_drawn_in_bounded_size_and_time(rows):
    p = many(10**6)
    begin = time.perf_counter()
    ax = p.plot(rows=rows)
    ax.figure.canvas.draw()
    took = time.perf_counter() - begin
    assert sum(image.get_array().size for image in ax.get_images()) == (rows or 1) * 512 * 64 * 4
    # This takes a second here, and many in a guest that emulates its CPUs.
    assert took < 60


def test_forty_nodes_leave_room_for_the_picture():
    p = placed([64] * 40, list(range(40)))
    ax = p.plot()
    ax.figure.canvas.draw()
    assert len(set(pixels(ax)[0].tolist())) == 40
    assert len(legend(ax)) == 40
    frame, box = ax.figure.bbox, ax.get_window_extent()
    assert box.width > 0.5 * frame.width
    assert box.height > 0.5 * frame.height
    shown = ax.get_legend().get_window_extent()
    assert frame.x0 <= shown.x0
    assert shown.x1 <= frame.x1
    assert frame.y0 <= shown.y0


def test_a_plan_has_a_band_for_each_flow_as_wide_as_its_bytes():
    flows = {(0, 0): 3 * MIB, (0, 1): MIB, (1, 0): 4 * MIB}
    ax = mp.Plan(pages=2048, page_size=PAGE, flows=flows, absent=2, problems=("no room",)).plot()
    bands = {patch.get_label(): patch for patch in ax.patches if isinstance(patch, PathPatch)}
    assert list(bands) == ["0 to 0: 3 MiB", "0 to 1: 1 MiB", "1 to 0: 4 MiB"]
    sizes = []
    for band in bands.values():
        heights = band.get_path().vertices[:, 1]
        sizes.append(heights[-2] - heights[0])
    assert np.array(sizes) / sizes[1] == pytest.approx([3, 1, 4])
    assert [to_hex(band.get_facecolor()) for band in bands.values()] == [
        colour(0), colour(0), colour(1),
    ]  # fmt: skip
    pale = bands["0 to 0: 3 MiB"].get_alpha()
    assert pale < bands["0 to 1: 1 MiB"].get_alpha() == bands["1 to 0: 4 MiB"].get_alpha()
    assert {"3 MiB in place", "1 MiB to 1", "4 MiB to 0", "7 MiB"} <= set(words(ax))
    assert ax.get_title(loc="left") == (
        "to move: 5 MiB\n2 pages absent: no memory to move\nproblem: no room"
    )


def test_bands_of_a_node_lie_beside_each_other():
    flows = {(a, b): (1 + a + b) * MIB for a in range(3) for b in range(3)}
    ax = mp.Plan(pages=1, page_size=PAGE, flows=flows).plot()
    for begin, end in ((0, -2), (3, 4)):
        ranges = sorted(
            (vertices[begin, 1], vertices[end, 1])
            for vertices in (p.get_path().vertices for p in ax.patches if isinstance(p, PathPatch))
        )
        assert len(ranges) == 9
        for (_, last), (first, _) in pairwise(ranges):
            assert last <= first + 1e-9
        assert (ranges[0][0], ranges[-1][1]) == pytest.approx((0, 1))


def test_empty_plan():
    assert words(mp.plan(np.empty(0), 0).plot()) == ["no page has both a node and a target"]


def run(script):
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_only_plot_imports_matplotlib():
    done = run(
        "import sys, numpy as np, movepages as mp\n"
        "p = mp.where(np.ones((100, 100)))\n"
        "p._repr_html_(), mp.plan(np.ones(9), 0)._repr_html_(), p.strip(), str(p)\n"
        "[getattr(mp, name) for name in mp.__all__]\n"
        "assert 'matplotlib' not in sys.modules\n"
        "p.plot()\n"
        "assert 'matplotlib' in sys.modules\n"
    )
    # matplotlib may report on stderr that it builds its font cache.
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["mp.where(a)", "mp.plan(a, 0)"])
def test_without_matplotlib_the_error_names_the_extra(what):
    done = run(
        "import sys, numpy as np, movepages as mp\n"
        "sys.modules['matplotlib'] = None\n"
        f"a = np.ones(9)\n{what}.plot()"
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "ImportError: plot() needs the package matplotlib, which is not installed: "
        "pip install 'movepages[plot]'"
    )
