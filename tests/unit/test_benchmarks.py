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

import movepages as mp
from movepages.memory.bandwidth_places import find_places

ROOT = Path(__file__).parents[2]
TINY = ["--rounds", "1", "--size", "4M", "--sparse", "64M", "--move-size", "256K"]

pytestmark = [
    pytest.mark.host,
    pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler called cc"),
]


# It takes a second for each pass, on the CPUs of the first node.
LIKWID = """#!{python}
import sys
cpus = {cpus}
if sys.argv[1] == "-p":
    print("Domain 0:\\n\\tTag N:", *cpus)
elif sys.argv[1] == "-a":
    print(*(f"{{kernel}} - Double-precision" for kernel in ("copy", "load", "store")), sep="\\n")
else:
    size, passes = sys.argv[4].split(":")[1].rstrip("B"), int(sys.argv[6])
    for cpu in cpus:
        print(f"Group: 0 Thread 0 running on hwthread {{cpu}} - Vector length 1 Offset 0")
    print(f"Time:\\t{{passes:e}} sec\\nSize (Byte):\\t{{size}}")
    print(f"Data volume (Byte):\\t{{passes * int(size)}}")
"""


def run(*arguments, **environment):
    command = [sys.executable, "benchmarks/run.py", *arguments]
    env = os.environ | environment
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=env)
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


def test_bandwidth_is_compared_with_likwid_where_it_is_installed(tmp_path):
    cpus = next(iter(find_places(mp.topology()).cpus.values()))
    program = tmp_path / "likwid-bench"
    program.write_text(LIKWID.format(python=sys.executable, cpus=cpus))
    program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    run(*TINY, "--only", "bandwidth", "--output", str(tmp_path), PATH=path)
    rows = files(tmp_path, "benchmarks")["rows"]
    found = [row for row in rows if row["name"].endswith("likwid-bench")]
    assert [row["name"].split()[0] for row in found] == ["read", "write", "copy"]
    assert all("likwid-bench 1 s" in row["detail"] for row in found)


def test_growth(tmp_path):
    run("--growth", "--rounds", "1", "--most-pages", "1000", "--output", str(tmp_path))
    curves = files(tmp_path, "growth")["growth"]
    assert {curve["over"] for curve in curves} == {"pages", "threads"}
    for curve in curves:
        assert len(curve["at"]) == len(curve["ns_per_page"])
        assert all(0 < ns < math.inf for ns in curve["ns_per_page"])


def test_scaling(tmp_path):
    printed = run("--scaling", "--most-pages", "1000", "--output", str(tmp_path))
    told = json.loads((tmp_path / "scaling.json").read_text())
    for name, points in told.items():
        assert name in printed
        assert all(point["calls"] > 0 and point["seconds"] > 0 for point in points)
    assert max(point["pages"] for points in told.values() for point in points) >= 10**9
    if importlib.util.find_spec("matplotlib"):
        assert (tmp_path / "scaling.svg").stat().st_size


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
