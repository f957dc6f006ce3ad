"""``movepages bench --matrix``: what it prints and keeps."""

import os
import sys

import pytest

import movepages as mp
from cli_fixtures import json_of
from movepages.cli import bench_matrix, main

pytestmark = pytest.mark.host


def test_json_and_text(little_bandwidth, monkeypatch, capsys):
    measure = mp.measure_bandwidth
    monkeypatch.setattr(mp, "measure_bandwidth", lambda **how: measure(seconds=0, **how))
    found = json_of(capsys, "bench", "--matrix")["matrix"]
    assert found == mp.Bandwidth.load(little_bandwidth).as_dict()
    assert json_of(capsys, "bench", "--matrix")["matrix"] == found
    assert main(["bench", "--matrix"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(str(mp.measure_bandwidth()))
    assert f"Kept in {little_bandwidth}; --fresh measures again." in out
    os.unlink(little_bandwidth)
    little_bandwidth.parent.rmdir()
    little_bandwidth.parent.write_text("")
    assert main(["bench", "--matrix", "--fresh"]) == 0
    assert "Kept in" not in capsys.readouterr().out


def test_fresh_alone_is_an_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--fresh"])
    assert caught.value.code == 2
    assert "--fresh needs --matrix" in capsys.readouterr().err


def test_a_size_beside_the_matrix_is_an_error(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--matrix", "--size", "64MiB"])
    assert caught.value.code == 2
    assert "argument --size: not allowed with argument --matrix" in capsys.readouterr().err


def test_options_reach_the_measurement(monkeypatch):
    seen = []

    def measure(**how):
        seen.append(how["fresh"])
        raise mp.MovePagesError(5, "no memory")

    monkeypatch.setattr(mp, "measure_bandwidth", measure)
    assert main(["bench", "--matrix"]) == 1
    assert main(["bench", "--matrix", "--fresh"]) == 1
    assert seen == [False, True]


def test_progress_on_a_terminal(monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(bench_matrix, "is_terminal", lambda: True)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    with bench_matrix._shown_progress(quiet=False) as tell:
        tell(1, 4)
        tell(4, 4)
