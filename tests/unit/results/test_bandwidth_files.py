"""Files of measured bandwidths: read as written, and otherwise refused or measured anew."""

import json
import os
from datetime import UTC, datetime

import numpy as np
import pytest

import movepages as mp
from movepages.results.bandwidth_figures import Rates
from movepages.results.kept_bandwidth import (
    bandwidth_of_host,
    keep_bandwidth,
    kept_bandwidth,
    kept_file,
)
from movepages.system.machine_key import MachineKey

# The same on every kernel.
pytestmark = pytest.mark.host

KEY = MachineKey("host", "6.12", "A processor", "0-3", "0,2-3")


def made(rows=(0, 2), columns=(0, 2, 3), key=KEY):
    figures = np.arange(1.0, 1 + len(rows) * len(columns)).reshape(len(rows), -1)
    return mp.Bandwidth(
        cpu_nodes=rows,
        memory_nodes=columns,
        read=figures,
        write=figures / 3,
        copy=figures * 2,
        latency=figures * 100,
        together={"local": Rates(3.0, 2.0, 1.0), "remote": Rates(0.3, 0.2, 0.1)},
        nbytes=dict.fromkeys(columns, 1 << 28),
        machine=key,
        measured_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        notes=("Left out: node 9: offline.",),
    )


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_what_is_saved_is_loaded(tmp_path):
    file = tmp_path / "figures.json"
    made().save(file)
    found = mp.Bandwidth.load(str(file))
    assert found.as_dict() == made().as_dict()
    assert json.loads(json.dumps(found.as_dict())) == found.as_dict()
    assert found.together == made().together
    assert found.machine == KEY
    assert found.measured_at == made().measured_at
    assert np.array_equal(found.write, made().write)
    assert os.listdir(tmp_path) == ["figures.json"]


def damaged():
    whole = {"version": 1} | made().as_dict()
    yield "nothing", b""
    yield "no JSON", b"{"
    yield "a list", b"[]"
    yield "no text", bytes(range(256))
    yield "deep", b"[" * 100_000
    yield "half", json.dumps(whole).encode()[:400]
    for key in whole:
        yield f"without {key}", json.dumps({k: v for k, v in whole.items() if k != key}).encode()
        yield f"null {key}", json.dumps(whole | {key: None}).encode()
    for key, value in [
        ("version", 2),
        ("cpu_nodes", []),
        ("cpu_nodes", [0, -1]),
        ("memory_nodes", [0, 2]),
        ("read", [[1, 2, 3]]),
        ("read", [[1, 2, 3], [4, 5, float("nan")]]),
        ("copy", [[1, 2, 3], [4, 5, 0]]),
        ("latency", [[1, 2, 3], [4, 5, -6]]),
        ("write", [[1, 2, 3], [4, 5, "six"]]),
        ("together", {"local": {"read": 1.0, "write": 2.0}}),
        ("together", {"local": {"read": 1.0, "write": 2.0, "copy": float("inf")}}),
        ("measured_at", "2026-01-02T03:04:05"),
        ("measured_at", "today"),
        ("nbytes", {"first": 1}),
        ("nbytes", {"0": float("inf")}),
        ("read", [[1, 2, 3], [4, 5, 10**400]]),
        ("machine", KEY._asdict() | {"cpu": 7}),
        ("machine", {"cpu": "A processor"}),
        ("notes", [1]),
    ]:
        yield f"{key} {value}", json.dumps(whole | {key: value}).encode()


@pytest.mark.parametrize("content", [pytest.param(c, id=name[:60]) for name, c in damaged()])
def test_damaged_files(content, cache):
    file = kept_file(KEY)
    keep_bandwidth(made())
    assert kept_bandwidth(KEY) is not None
    file.write_bytes(content)
    with pytest.raises(ValueError, match="does not hold measured bandwidths"):
        mp.Bandwidth.load(file)
    assert kept_bandwidth(KEY) is None
    keep_bandwidth(made())
    assert kept_bandwidth(KEY).as_dict() == made().as_dict()


def test_figures_are_kept_for_their_machine_alone(cache):
    keep_bandwidth(made())
    assert kept_bandwidth(KEY).machine == KEY
    for field in KEY._fields:
        assert kept_bandwidth(KEY._replace(**{field: "other"})) is None
    os.rename(kept_file(KEY), kept_file(KEY._replace(host="other")))
    assert kept_bandwidth(KEY._replace(host="other")) is None


def test_a_folder_that_cannot_be_written_to(monkeypatch, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    keep_bandwidth(made())
    assert kept_bandwidth(KEY) is None
    with pytest.raises(NotADirectoryError):
        made().save(blocked / "figures.json")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    keep_bandwidth(made())
    assert kept_bandwidth(KEY) is None


def test_a_folder_in_place_of_the_file(cache):
    kept_file(KEY).mkdir(parents=True)
    keep_bandwidth(made())
    assert kept_bandwidth(KEY) is None


def test_without_a_home(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/somebody")
    assert str(kept_file(KEY)).startswith("/somebody/.cache/movepages/bandwidth-")
    monkeypatch.setenv("HOME", "also relative")
    assert kept_file(KEY) is None
    assert kept_bandwidth(KEY) is None
    keep_bandwidth(made())


def test_each_set_of_cpus_has_a_file(cache):
    files = {kept_file(KEY._replace(cpus=cpus)) for cpus in ("0", "1", "0-1")}
    assert len(files) == 3
    assert {file.parent for file in files} == {cache / "movepages"}


def test_a_signal_handler_is_not_taken_for_a_refusal(cache, monkeypatch):
    class HandlerError(TimeoutError):
        pass

    def interrupted(*_):
        raise HandlerError

    monkeypatch.setattr(mp.Bandwidth, "load", interrupted)
    keep_bandwidth(made())
    with pytest.raises(HandlerError):
        kept_bandwidth(KEY)


def test_what_was_measured_here_serves_where_the_folder_cannot_be_written(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/1")
    assert bandwidth_of_host(KEY) is None
    mine = made()
    keep_bandwidth(mine)
    assert kept_bandwidth(KEY) is None
    assert bandwidth_of_host(KEY) is mine
    assert bandwidth_of_host(KEY._replace(cpus="1")) is mine
    assert bandwidth_of_host(KEY._replace(host="elsewhere")) is None


def test_figures_of_most_nodes_serve_threads_with_fewer_cpus(cache):
    wide = KEY._replace(cpus="0-7")
    for figures in (made((0,), (0, 2)), made(key=wide)):
        keep_bandwidth(figures)
    assert bandwidth_of_host(KEY).cpu_nodes == (0,)
    assert bandwidth_of_host(KEY._replace(cpus="1")).machine == wide
