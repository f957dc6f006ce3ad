"""The benchmarks run, compare the answers of all contenders, and report their findings."""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ["--rounds", "1", "--size", "4M", "--sparse", "64M", "--move-size", "256K"]

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler called cc"),
]


def run(*arguments):
    command = [sys.executable, "benchmarks/run.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder, name):
    """Return the contents of the JSON file, after a check of the other files."""
    assert (folder / f"{name}.md").read_text().startswith("Median of")
    if importlib.util.find_spec("matplotlib"):
        for suffix in ("svg", "png"):
            assert (folder / f"{name}.{suffix}").stat().st_size
    return json.loads((folder / f"{name}.json").read_text())


def test_every_row_has_a_figure(tmp_path):
    printed = run(*TINY, "--output", str(tmp_path))
    told = files(tmp_path, "benchmarks")
    assert len(told["rows"]) >= 10
    for row in told["rows"]:
        assert math.isfinite(row["value"]), row
        assert row["name"] in printed
        assert row["value"] > 0 or row["unit"] != "x", row
        assert (row["holds"] is None) == (row["bound"] is None)
    for skip in told["skipped"]:
        assert skip["why"]
        assert skip["name"] in printed
    assert told["machine"]["cpus"] == len(os.sched_getaffinity(0))


def test_growth(tmp_path):
    run("--growth", "--rounds", "1", "--most-pages", "1000", "--output", str(tmp_path))
    curves = files(tmp_path, "growth")["growth"]
    assert {curve["over"] for curve in curves} == {"pages", "threads"}
    for curve in curves:
        assert len(curve["at"]) == len(curve["ns_per_page"])
        assert all(0 < ns < math.inf for ns in curve["ns_per_page"])


def test_a_bound_holds_or_not():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from harness.contest import Bound, Row
    finally:
        sys.path.pop(0)
    assert Row("it", 1.0, bound=Bound("<=", 1)).holds
    assert not Row("it", 1.0, bound=Bound("<", 1)).holds
    assert Row("it", 1.0, bound=Bound(">=", 1)).holds
    assert [Row("it", 0.9, bound=Bound("within", limit)).holds for limit in (1.2, 1.1)] == [
        True,
        False,
    ]
    assert [Row("it", 1.1, bound=Bound("within", limit)).holds for limit in (1.1, 1.09)] == [
        True,
        False,
    ]
    assert Row("it", 1.0).holds is None
