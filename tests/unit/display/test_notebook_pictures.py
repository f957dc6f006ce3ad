"""The output in notebooks: well-formed, of bounded size, with escaped text and no scripts."""

import re
import time
from xml.etree import ElementTree

import numpy as np
import pytest

import movepages as mp
from movepages.display.device_table import speed_rows
from movepages.display.palette import colour, ink
from movepages.display.svg import placement_svg
from picture_fixtures import ABSENT, PAGE, many, placed

# Pictures are the same on every kernel, and slow under emulation.
pytestmark = pytest.mark.host

SVG = "{http://www.w3.org/2000/svg}"
MIB = 1 << 20


def parsed(html):
    """Return the tree of HTML that is strict enough for XML, as all of it must be."""
    assert "<script" not in html
    return ElementTree.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")


def areas(tree):
    """Return the number of cells that the path of each colour covers, from its boxes."""
    found = {}
    for path in tree.iter(f"{SVG}path"):
        if path.get("fill"):
            boxes = re.findall(r"M\d+ \d+h(\d+)v(\d+)h-\d+z", path.get("d"))
            assert "".join(re.findall(r"M\d+ \d+h\d+v\d+h-\d+z", path.get("d"))) == path.get("d")
            found[path.get("fill")] = sum(int(w) * int(h) for w, h in boxes)
    return found


def test_strip_has_each_colour_in_proportion():
    tree = parsed(placed([200, 100, 100], [0, 1, ABSENT])._repr_html_())
    cells = 256 * 24
    assert areas(tree) == {colour(0): cells / 2, colour(1): cells / 4, "#808080": cells / 4}


def test_texts_of_a_strip():
    p = placed([256, 256], [0, ABSENT])
    tree = parsed(p._repr_html_())
    (svg,) = (each for each in tree if each.tag == f"{SVG}svg")
    assert (svg.get("role"), svg.get("aria-label")) == ("img", str(p))
    assert svg[0].text == str(p)
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts[0] == "2 MiB in 512 pages"
    assert texts[-2:] == ["node 0: 1 MiB", "absent: 1 MiB"]
    assert {"0", "0.25", "2 MiB"} <= set(texts)
    titles = [title.text for title in tree.iter(f"{SVG}title")]
    assert titles[1:] == ["absent: 1 MiB", "node 0: 1 MiB"]


def test_an_array_of_two_axes_has_its_shape():
    tree = parsed(placed([24, 24], [4, 5], shape=(48, PAGE))._repr_html_())
    assert areas(tree) == {colour(4): 24 * 96, colour(5): 24 * 96}
    texts = {text.text for text in tree.iter(f"{SVG}text")}
    assert {"row 0", "row 47", "column 0", "column 4,095"} <= texts


@pytest.mark.parametrize("shape", [(), (2000, 1000 * PAGE)])
def test_size_of_the_html_is_bounded(shape):
    rng = np.random.default_rng(0)
    p = placed([1] * 2_000_000, rng.integers(-1, 40, 2_000_000), shape)
    begin = time.perf_counter()
    html = p._repr_html_()
    assert time.perf_counter() - begin < 60
    assert len(html) < 200_000
    assert len(areas(parsed(html))) == 41


@pytest.mark.parametrize("a", [np.empty(0), np.empty((0, 4)), np.empty((4, 0))])
def test_empty_array(a):
    texts = [text.text for text in parsed(mp.where(a)._repr_html_()).iter(f"{SVG}text")]
    assert texts == ["0 B in 0 pages"]


def test_text_is_escaped():
    p = placed([1], [0])
    assert "<b>" not in placement_svg(p, "<b> & co")
    assert f'aria-label="&lt;b&gt; &amp; co: {p}"' in placement_svg(p, "<b> & co")
    assert next(parsed(placement_svg(p, "<b> & co")).iter(f"{SVG}text")).text == "<b> & co"
    made = mp.Plan(pages=1, page_size=PAGE, flows={(0, 1): PAGE}, problems=("<i>x</i>",))
    assert "problem: <i>x</i>" in list(parsed(made._repr_html_()).itertext())


def test_a_plan_is_a_table_of_its_flows():
    flows = {(0, 0): 3 * MIB, (0, 1): MIB}
    html = mp.Plan(pages=1024, page_size=PAGE, flows=flows)._repr_html_()
    rows = [["".join(cell.itertext()) for cell in row] for row in parsed(html).iter("tr")]
    assert rows == [["from", "to", "bytes", ""], ["0", "0", "3 MiB", " in place"],
                    ["0", "1", "1 MiB", ""]]  # fmt: skip
    assert f"background:{colour(1)};color:{ink(colour(1))}" in html
    widths = [float(width) for width in re.findall(r"width:([\d.]+)em", html)]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.02)


def test_a_plan_of_very_many_flows_shows_the_largest():
    flows = {(a, b): (a * 40 + b + 1) * PAGE for a in range(40) for b in range(40)}
    html = mp.Plan(pages=1, page_size=PAGE, flows=flows)._repr_html_()
    assert html.count("<tr>") == 65
    assert "and 1,536 smaller flows" in html
    assert mp.Plan(pages=1, page_size=PAGE, flows={})._repr_html_().count("<tr>") == 1


def test_result_is_a_table_of_what_happened_to_the_pages():
    runs = placed([128, 32, 64, 32], [0, 1, int(mp.PageStatus.EBUSY), ABSENT]).runs
    r = mp.MoveResult(
        pages=512, moved=128, already_there=32, not_attempted=256, untargeted=6, _runs=runs,
        failures={mp.PageStatus.EBUSY: 64, mp.PageStatus.ENOENT: 32},
    )  # fmt: skip
    tree = parsed(r._repr_html_())
    rows = [["".join(cell.itertext()) for cell in row] for row in tree.iter("tr")]
    assert [row[:2] for row in rows[1:]] == [
        ["moved", "128"], ["already there", "32"], ["failed with EBUSY", "64"],
        ["failed with ENOENT", "32"], ["not attempted", "250"], ["without a target", "6"],
    ]  # fmt: skip
    assert mp.PageStatus.EBUSY.remedy in rows[3][3]
    cells = 256 * 24
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert texts[-4:] == ["node 0", "node 1", "absent", "failed or not attempted"]
    # The last half of the pages was not attempted.
    assert areas(tree) == {
        colour(0): cells / 4, colour(1): cells / 16, "#808080": cells / 16,
        "currentColor": cells * 5 / 8,
    }  # fmt: skip


def test_result_with_counts_alone_and_result_without_pages():
    tree = parsed(mp.MoveResult(pages=3, already_there=None, moved=3)._repr_html_())
    assert "on their target" in list(tree.itertext())
    assert not list(tree.iter(f"{SVG}svg"))
    assert parsed(mp.move(np.empty(0), 0)._repr_html_()) is not None


def test_topology_of_this_machine():
    machine = mp.topology()
    tree = parsed(machine._repr_html_())
    first = [["".join(cell.itertext()) for cell in row] for row in tree[0]]
    assert [row[0] for row in first[1:]] == [str(node) for node in machine.nodes]
    devices, speeds = bool(machine.devices), bool(speed_rows(machine.nodes)[0])
    assert len(tree) == (2 if len(machine.nodes) > 1 else 1) + devices + speeds


def test_many_runs_take_little_time():
    begin = time.perf_counter()
    assert len(many(10**6)._repr_html_()) < 200_000
    assert time.perf_counter() - begin < 60


def fits(svg):
    """Whether each text lies within the picture, by the widths of letters of a wide font."""
    for text in svg.iter(f"{SVG}text"):
        x, width = float(text.get("x")), 7 * len(text.text)
        left = x - {"end": width, "middle": width / 2}.get(text.get("text-anchor"), 0)
        yield left >= 0 and left + width <= 640


def test_numbers_of_very_many_rows_are_not_cut_off():
    tree = parsed(placed([24], [1], shape=(4_194_304, 8))._repr_html_())
    assert "row 4,194,303" in {text.text for text in tree.iter(f"{SVG}text")}
    assert all(fits(tree))


def test_long_entries_of_a_legend_take_two_columns():
    runs = placed([1, 1, 1, 1], [0, 1, ABSENT, int(mp.PageStatus.EBUSY)]).runs
    result = mp.MoveResult(
        pages=4, moved=2, already_there=0, _runs=runs,
        failures={mp.PageStatus.EBUSY: 1, mp.PageStatus.ENOENT: 1},
    )  # fmt: skip
    tree = parsed(result._repr_html_())
    assert all(fits(tree))
    places = {text.text: (text.get("x"), text.get("y")) for text in tree.iter(f"{SVG}text")}
    (x, y), (_, above) = places["failed or not attempted"], places["absent"]
    assert x == places["node 0"][0]
    assert float(y) > float(above)


def test_a_number_stays_on_one_line_with_its_unit():
    for shown in (mp.where({"a": np.ones(1 << 12), "b" * 200: np.ones(9)}), mp.topology()):
        cells = [*parsed(shown._repr_html_()).iter("td")]
        sizes = [cell for cell in cells if re.fullmatch(r"[\d.,]+ \w*B", cell.text or "")]
        assert sizes
        assert all("white-space:nowrap" in cell.get("style") for cell in sizes)
