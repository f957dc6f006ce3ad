"""The Python blocks of the docs run, and the reference lists every public name."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import movepages as mp
from movepages.cli.commands import ABOUT

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Optional modules that a page uses; the extras `docs` and `libraries` install them.
NEEDS = {
    "howto/slurm-mpi.md": ["mpi4py"],
    "howto/tensors.md": ["torch", "pandas"],
    "howto/threads.md": ["numba"],
    "howto/watching.md": ["pandas"],
    "howto/workers.md": ["dask", "mpi4py"],
}
# Pages about several nodes also run in the guests, which are slow.
ON_NODES = ("tutorial.md", "howto/layouts.md", "howto/memory-only-nodes.md")
FENCE = re.compile(r"^```python$", re.MULTILINE)


def pages():
    """Yield the pages with Python blocks. Most do the same on every kernel: host only."""
    for page in sorted(DOCS.rglob("*.md")):
        name = str(page.relative_to(DOCS))
        if not name.startswith("_build") and FENCE.search(page.read_text()):
            yield pytest.param(name, marks=() if name in ON_NODES else pytest.mark.host)


def read(name):
    return (DOCS / name).read_text()


def run(name, folder):
    """Run a page in its own interpreter, because numba and MPI stay loaded once imported."""
    runner = Path(__file__).with_name("run_page.py")
    command = [sys.executable, "-P", "-W", "error", runner, DOCS / name]
    # What a page measures of this busy machine is not kept for its user.
    own = {"XDG_CACHE_HOME": str(folder)} if name == "howto/benchmarks.md" else {}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=1800, env=os.environ | own
    )


@pytest.mark.parametrize("name", list(pages()))
def test_blocks_of_page_run(name, tmp_path):
    for module in NEEDS.get(name, []):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}, which the extras `docs` and `libraries` install")
    done = run(name, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"ran {len(FENCE.findall(read(name)))} blocks"


def test_failing_block_reports_its_line(tmp_path):
    page = tmp_path / "wrong.md"
    page.write_text("# A page\n\n```python\na = 1\nassert a == 2\n```\n")
    done = run(page, tmp_path)
    assert done.returncode == 1
    assert f'File "{page}", line 5' in done.stderr


def test_the_reference_has_every_public_name():
    parts = re.split(r"^\.\. currentmodule:: (\S+)$", read("reference.md"), flags=re.MULTILINE)
    named: dict[str, list[str]] = {}
    for module, part in zip(parts[1::2], parts[2::2], strict=True):
        found = re.findall(r"^\.\. (?:auto\w+|data):: (\w+)(?:\(.*)?$", part, re.MULTILINE)
        named.setdefault(module, []).extend(found)
    assert sorted(named["movepages"]) == sorted(mp.__all__)
    # Member and Survey are documented once, for both modules.
    assert {*named["movepages.dask"]} == {"PlacementPlugin", "place", "survey"}
    assert {*named["movepages.mpi"]} == {"Member", "Survey", "place", "survey"}


def test_pages_include_every_captured_output_and_no_other():
    include = re.compile(r"\{literalinclude\} captured/(\w+)\.txt")
    tutorial, command_line = map(include.findall, map(read, ("tutorial.md", "command-line.md")))
    files = sorted((DOCS / "captured").glob("*.txt"))
    assert sorted(tutorial + command_line) == [file.stem for file in files]
    drawn = [file for file in files if not file.stem.startswith(("tutorial_", "schema"))]
    assert max(map(len, "".join(map(read, drawn)).splitlines())) <= 80
    prints = [block for block in read("tutorial.md").split("```") if "print(" in block]
    assert len(prints) == len(tutorial)


def test_the_version_to_cite_is_this_one():
    told = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert told is not None
    assert told[1] == mp.__version__


def test_every_command_is_captured():
    first = [file.read_text().split() for file in (DOCS / "captured").glob("*.txt")]
    assert {words[2] for words in first if words[:2] == ["$", "movepages"]} == set(ABOUT)
