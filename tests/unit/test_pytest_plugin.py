"""The fixture `placement` in runs of pytest of its own, as a user has them."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import movepages as mp

pytestmark = pytest.mark.host

NODE = mp.topology().allowed_nodes[0]
HEAD = f"""
import mmap
import numpy as np
import movepages as mp
NODE = {NODE}

def touched(nbytes=1 << 20):
    return mp.full(nbytes, 1, np.uint8)

"""


@pytest.fixture
def outcome(tmp_path):
    """Return a function that runs tests in a process of their own, and returns the run."""

    def run(tests, *arguments, plugins=("movepages.pytest_plugin",), ignored=()):
        filters = [word for kind in ignored for word in ("-W", f"ignore::{kind}")]
        (tmp_path / "test_it.py").write_text(HEAD + textwrap.dedent(tests))
        loaded = [word for plugin in plugins for word in ("-p", plugin)]
        command = [sys.executable, "-P", "-W", "error", *filters, "-m", "pytest", "-rA", *loaded]
        return subprocess.run(
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "400"},
        )  # fmt: skip

    return run


def test_it_returns_what_it_has_placed(outcome):
    done = outcome("""
    def test(placement):
        a = touched()
        assert placement(a, NODE) is a
        placement([a, touched()], mp.interleave([NODE]))
        assert mp.where(a).bytes_per_node == {NODE: a.nbytes}
    """)
    assert done.returncode == 0, done.stdout


def test_memory_that_is_not_there_fails_the_test(outcome):
    done = outcome("""
    def test(placement):
        placement(mp.empty(1 << 20, np.uint8), NODE)
    """)
    assert done.returncode == 1
    assert re.search(r"FAILED .* Failed: ndarray on node \d+: 256 pages: .*256 failed", done.stdout)


def test_a_node_that_does_not_exist_skips_the_test(outcome):
    done = outcome("""
    def test(placement):
        placement(touched(), 1022)
    """)
    assert done.returncode == 0
    assert re.search(r"SKIPPED .* ndarray on node 1022: ENODEV: .*1022", done.stdout)


def test_memory_that_goes_fails_the_test_at_its_end(outcome):
    done = outcome("""
    def test(placement):
        memory = mmap.mmap(-1, 1 << 20)
        memory[:] = b"a" * len(memory)
        placement(memory, NODE)
        memory.madvise(mmap.MADV_REMOVE, 0, 1 << 16)
    """)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "ERROR" not in done.stdout
    assert "mmap on node" in done.stdout
    assert "16 of 256 pages did not stay during the test. Then: " in done.stdout


def test_other_memory_fails_the_test_at_its_end(outcome):
    done = outcome("""
    def test(placement):
        arrays = placement([touched()], NODE)
        arrays.append(touched())
    """)
    assert done.returncode == 1
    assert "it has other memory than at the beginning of the test" in done.stdout


def test_a_test_that_fails_by_itself_says_so_alone(outcome):
    done = outcome("""
    def test(placement):
        arrays = placement([touched()], NODE)
        arrays.append(touched())
        assert 1 == 2
    """)
    assert done.returncode == 1
    assert "assert 1 == 2" in done.stdout
    assert "did not stay" not in done.stdout
    assert "other memory" not in done.stdout


def test_a_benchmark_stores_its_placement(outcome, tmp_path):
    if importlib.util.find_spec("pytest_benchmark") is None:
        pytest.skip("needs pytest-benchmark")
    done = outcome(
        """
        def test_sum(benchmark, placement):
            a = placement(touched(), NODE)
            assert benchmark(a.sum) == 1 << 20

        def test_without(benchmark):
            benchmark(lambda: 1)
        """,
        "--benchmark-json=figures.json",
        "--benchmark-max-time=0.01",
        plugins=("movepages.pytest_plugin", "pytest_benchmark.plugin"),
        # pytest-benchmark before 5.3 uses what Python 3.12 and 3.14 deprecate.
        ignored=("DeprecationWarning", "PendingDeprecationWarning"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = json.loads((tmp_path / "figures.json").read_text())["benchmarks"]
    (told,) = first["extra_info"]["placement"]
    assert told["wanted"] == f"ndarray on node {NODE}"
    assert told["bytes_per_node"] == {str(NODE): 1 << 20}
    assert second["extra_info"] == {}


def test_another_fixture_with_the_name_benchmark(outcome):
    done = outcome("""
    import pytest

    @pytest.fixture
    def benchmark():
        return lambda work: work()

    def test(benchmark, placement):
        benchmark(placement(touched(), NODE).sum)
    """)
    assert done.returncode == 0, done.stdout


def test_runs_without_the_fixture_load_nothing(outcome):
    done = outcome("""
    def test():
        import sys
        found = {name for name in sys.modules if name.startswith("movepages")}
        assert "movepages.pytest_placement" not in found
    """)
    assert done.returncode == 0, done.stdout
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import movepages.pytest_plugin\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    told = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert told.stdout.split() == ["movepages", "movepages.pytest_plugin"]


def test_the_plug_in_is_registered():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"movepages": "movepages.pytest_plugin"}
