"""Measure moves by two threads, here or in a guest whose CPUs run at the same time.

    python benchmarks/move_threads.py [options of benchmarks/run.py]

The guest, of tests/vm/lab.py, has four nodes, and is used where this machine has one.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import movepages as mp

ROOT = Path(__file__).parents[1]
KERNEL = "linux-image-6.12-amd64"


def main(argv: list[str]) -> int:
    """Run the group of benchmarks; return its exit status."""
    run = [sys.executable, "benchmarks/run.py", "--only", "threads", "--move-size", "256M", *argv]
    if len(mp.topology().allowed_nodes) > 1:
        return subprocess.run(run, cwd=ROOT).returncode
    with tempfile.TemporaryDirectory() as results:
        lab = [sys.executable, "tests/vm/lab.py", "--parallel", "--kernel", KERNEL]
        lab += ["--results", results, "--command", shlex.join(run)]
        return subprocess.run(lab, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
