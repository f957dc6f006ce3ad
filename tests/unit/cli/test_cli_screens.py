"""The tables of the command line on narrow terminals, with many nodes and odd names."""

import mmap
import os
import re
from types import SimpleNamespace

import numpy as np
import pytest

import movepages as mp
from cli_fixtures import WITHOUT_RICH, run
from movepages.cli import main, watch
from movepages.cli.terminal import console
from support import processes

pytestmark = pytest.mark.host

MIB = 1 << 20


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def made_up(*nodes):
    """Return a made-up process with memory on these nodes: only the tables are tested."""
    regions = mp.process().regions()[:9]
    found = np.zeros(
        len(regions),
        [*regions.dtype.descr[:-1], ("bytes", np.int64, (len(nodes),))],
    )
    for field in regions.dtype.names[:-1]:
        found[field] = regions[field]
    found["policy"] = "weighted interleave:0-7"
    found["bytes"] = np.arange(1, found["bytes"].size + 1).reshape(-1, len(nodes)) * 173 * MIB // 10
    return lambda _pid=0: SimpleNamespace(nodes=nodes, regions=lambda: found)


@pytest.fixture(params=[(0,), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5, 6, 7)], ids=len)
def nodes(request, monkeypatch):
    monkeypatch.setattr(mp, "process", made_up(*request.param))
    return request.param


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_every_node_has_its_share_shown(nodes, columns, terminal, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["where", "1"]) == 0
    lines = plain(capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= columns
    assert not any("…" in line for line in lines)
    total = next(i for i, line in enumerate(lines) if line.startswith("total"))
    drawn = "".join(line.split()[-1] for line in lines[total:])
    assert set(map(int, drawn)) == set(nodes)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_amount_is_broken_or_cut(nodes, columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["maps", "1"]) == 0
    out = plain(capsys.readouterr().out)
    assert max(map(len, out.splitlines())) <= columns
    assert "…" not in out
    amounts = re.findall(r"\b(\d): [\d.]+ [KMG]iB", out)
    assert sorted(amounts) == sorted(str(node) for node in nodes for _ in range(9))


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_live_view_keeps_to_the_width(nodes, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    nbytes = {node: (i + 1) * 1000 * MIB for i, node in enumerate(nodes)}
    sample = mp.WatchSample(
        pid=1, name="a", time=0.0, seconds=0.0, bytes_per_node=nbytes, bytes_per_second=nbytes
    )
    table = watch._table(sample)
    screen = console()
    with screen.capture() as captured:
        screen.print(table)
    lines = plain(captured.get()).splitlines()
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert {line.split()[-1][0] for line in lines if line.startswith("node")} == set(
        map(str, nodes)
    )


@pytest.fixture
def odd_name(tmp_path):
    """Yield the pid of a process that has mapped a file with an odd and long name."""
    path = os.fsencode(tmp_path) + b"/" + b"x" * 150 + b"\x1b[31m\xff\xc3\xa9.bin"
    held = []

    def hold():
        with open(path, "w+b") as file:
            file.truncate(MIB)
            held.append(mmap.mmap(file.fileno(), MIB))
        held[0][:MIB] = b"1" * MIB

    with processes.child(hold) as child:
        yield child.pid


def test_pipes_get_odd_names_in_full_and_escaped(odd_name):
    for code in (None, WITHOUT_RICH):
        done = run("maps", str(odd_name), "--region", "xxx", code=code)
        assert (done.returncode, done.stderr) == (0, "")
        assert "x" * 150 + r"\x1b[31m\udcffé.bin" in done.stdout


def test_characters_outside_the_encoding_are_escaped(odd_name):
    for code in (None, WITHOUT_RICH):
        done = run("maps", str(odd_name), "--region", "xxx", code=code, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "x" * 150 + r"\x1b[31m\udcff\xe9.bin" in done.stdout


def test_terminals_get_the_end_of_a_long_name(odd_name):
    done = run("maps", str(odd_name), "--region", "xxx", COLUMNS="80", FORCE_COLOR="1")
    lines = plain(done.stdout).splitlines()
    assert max(map(len, lines)) <= 80
    assert re.search(r"\.\.\.\S*\\udcffé\.bin$", lines[1].rstrip())


@pytest.mark.parametrize("arguments", [["maps", "1", "--limit=-4"], ["watch", "1", "--count=-3"]])
def test_negative_count_is_rejected(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "expected a whole number, 0 or more, got '-" in capsys.readouterr().err


def test_bench_refuses_more_than_is_free(capsys):
    assert main(["bench", "--size", "1000TiB"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--size: an array of 1000 TiB is more than the" in captured.err
