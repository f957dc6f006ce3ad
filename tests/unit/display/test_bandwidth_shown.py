"""Measured bandwidths as text, HTML and a heat map."""

import re
from datetime import UTC, datetime

import numpy as np
import pytest

import movepages as mp
from movepages.results.bandwidth_figures import Rates
from movepages.system.machine_key import MachineKey

pytestmark = pytest.mark.host


def made(rows, columns, notes=(), cpu="A processor"):
    figures = np.arange(1.0, 1 + len(rows) * len(columns)).reshape(len(rows), -1)
    together = {"local": Rates(300.25, 20.25, 1.5)}
    if len(columns) > 1:
        together |= {"remote": Rates(1.0, 2.0, 3.0), "interleaved": Rates(4.0, 5.0, 6.0)}
    return mp.Bandwidth(
        cpu_nodes=rows,
        memory_nodes=columns,
        read=figures,
        write=figures * 10,
        copy=figures * 100,
        latency=figures * 70,
        together=together,
        nbytes=dict.fromkeys(columns, 1 << 28),
        machine=MachineKey("host", "6.12", cpu, "0-3", "0-1"),
        measured_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
        notes=notes,
    )


def test_a_table():
    text = str(made((0, 2), (0, 2, 3), ["A note."]))
    assert text.splitlines() == [
        "A processor, CPUs 0-3, Linux 6.12, measured 2026-01-02 03:04 UTC",
        "",
        "read, GB/s       node 0   node 2   node 3",
        "CPUs of node 0     1.00     2.00     3.00",
        "CPUs of node 2     4.00     5.00     6.00",
        "",
        "write, GB/s      node 0   node 2   node 3",
        "CPUs of node 0     10.0     20.0     30.0",
        "CPUs of node 2     40.0     50.0     60.0",
        "",
        "copy, GB/s       node 0   node 2   node 3",
        "CPUs of node 0      100      200      300",
        "CPUs of node 2      400      500      600",
        "",
        "latency, ns      node 0   node 2   node 3",
        "CPUs of node 0     70.0      140      210",
        "CPUs of node 2      280      350      420",
        "",
        "all CPUs at once, GB/s     read    write     copy",
        "memory local                300     20.2     1.50",
        "memory remote              1.00     2.00     3.00",
        "memory interleaved         4.00     5.00     6.00",
        "",
        "A note.",
    ]


def test_one_node_has_nothing_to_compare():
    alone = made((0,), (0,))
    for text in (str(alone), alone._repr_html_()):
        assert "there is nothing to compare" in text
    for others in (made((0,), (0, 1)), made((0, 1), (1,))):
        assert "nothing to compare" not in str(others)


def test_large_machines_fit_80_columns():
    found = made(tuple(range(60, 92)), tuple(range(1000, 1040)), ["word " * 50], "model " * 40)
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    numbers = re.findall(r"[\d,.]+", "\n".join(line for line in lines if line.startswith("CPUs")))
    assert len(numbers) == 4 * (32 * 40 + 32 * 6)
    assert any("node 1039" in line for line in lines)


def test_html():
    html = made((0, 2), (0, 2, 3), ["a < b"], "<A & B>")._repr_html_()
    assert html.count("<table>") == html.count("</table>") == 5
    assert "&lt;A &amp; B&gt;" in html
    assert "a &lt; b" in html
    assert "<script" not in html


@pytest.mark.parametrize("what", ["read", "write", "copy", "latency"])
def test_heat_map(what):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    found = made((0, 2), (0, 2, 3))
    ax = found.plot(what)
    assert np.array_equal(ax.images[0].get_array(), getattr(found, what))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "2", "3"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["0", "2"]
    assert ax.get_title(loc="left").startswith(what)
    assert len(ax.texts) == 6
    given = pyplot.figure().subplots()
    assert found.plot(what, given) is given
    ax.figure.canvas.draw()
    assert not made((0,), tuple(range(20))).plot(what).texts
    pyplot.close("all")


def test_an_unknown_figure():
    with pytest.raises(ValueError, match="expected one of read, write, copy, latency, got 'speed'"):
        made((0,), (0,)).plot("speed")
