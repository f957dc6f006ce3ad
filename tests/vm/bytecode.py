"""Compile the package and the tests before guests import them.

A guest cannot write to this machine's files. Without this, each of its processes would compile
every module again, which takes seconds there.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from guest import ROOT


def write(arguments: Sequence[str] | None) -> None:
    """Write the bytecode of the package, and of the tests that pytest's arguments select.

    Parameters
    ----------
    arguments : sequence of str, or None
        None: no tests.

    Notes
    -----
    pytest rewrites assertions, and so keeps bytecode of its own for tests. What cannot be compiled
    is left for the guest to report.
    """
    known = {key: text for key, text in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    commands = [["compileall", "-q", "movepages", "benchmarks", "examples"]]
    if arguments is not None:
        collect = ["pytest", "--collect-only", "-m", "not host", "-p", "no:cacheprovider"]
        commands.append([*collect, *arguments])
    for command in commands:
        subprocess.run(
            [sys.executable, "-P", "-m", *command],
            cwd=ROOT,
            env=known,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
