"""The examples run as scripts, whatever nodes the machine has."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (["stencil.py", "--size", "256", "--steps", "4"], "heat in row 1 after 4 steps: 0."),
        (["matrix_rows.py", "--size", "256"], "workers multiplied 256 rows"),
        (["demote.py", "--size", "4"], "back again: 4 MiB"),
    ],
)
def test_example_runs(request, script, said):
    folder = request.config.rootpath / "examples"
    done = subprocess.run(
        [sys.executable, folder / script[0], *script[1:]],
        capture_output=True,
        text=True,
        # Some start several processes, each of which takes a guest a minute on a busy host.
        timeout=1200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
