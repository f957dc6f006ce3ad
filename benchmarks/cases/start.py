"""Measure how long the command takes to start, against Python and numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import movepages as mp
from cases.queries import Sizes
from harness.contenders import timed
from harness.contest import Line, cost, take_turns

NO_COMMAND, WITHOUT_NUMPY, ABOVE_NUMPY = 3, 4, 2.5
PASS, NUMPY = "python -c pass", "import numpy"
FILE = Path(__file__)


def start(sizes: Sizes) -> list[Line]:
    """Compare commands that do without numpy with Python's own start, and one with numpy's."""
    said: dict[str, str] = {}

    def turn(name: str, *arguments: str) -> Callable[[], float]:
        def once() -> None:
            command = [sys.executable, "-P", *arguments]
            said[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout

        return lambda: timed(once)

    def check() -> None:
        assert said["--version"] == f"movepages {mp.__version__}\n"
        assert json.loads(said["topology"])["nodes"][0]["id"] == min(mp.topology().nodes)
        assert json.loads(said["where FILE"])["nbytes"] == FILE.stat().st_size
        assert said[PASS] == said[NUMPY] == ""

    run = ("-m", "movepages")
    ways = {
        PASS: turn(PASS, "-c", "pass"),
        NUMPY: turn(NUMPY, "-c", "import numpy"),
        "--version": turn("--version", *run, "--version"),
        "topology": turn("topology", *run, "topology", "--json"),
        "where FILE": turn("where FILE", *run, "where", str(FILE), "--json"),
    }
    rounds = take_turns(ways, sizes.rounds, check)
    return [
        cost("movepages --version / python -c pass", rounds, "--version", PASS, NO_COMMAND),
        cost("movepages topology / python -c pass", rounds, "topology", PASS, WITHOUT_NUMPY),
        cost("movepages where FILE / import numpy", rounds, "where FILE", NUMPY, ABOVE_NUMPY),
    ]


START = (start,)
