"""The command ``movepages``: one sub-command a module, over the package's public names.

Exit status: 0 when all went well, 1 when something failed or did not hold, 2 for a wrong command
line or a missing extra, 130 after Ctrl-C. Nothing but errors goes to stderr.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import movepages as mp

from . import demo


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="movepages",
        description="See which NUMA node every page lives on, and move it where the work is.",
    )
    parser.add_argument("--version", action="version", version=f"movepages {mp.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    demo.add_to(commands)
    options = parser.parse_args(argv)
    if "run" not in options:
        parser.print_help()
        return 0
    try:
        return int(options.run(options))
    except mp.MovePagesError as error:
        print(f"movepages: {error.strerror}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "rich":
            raise
        print(
            "movepages: the command line needs rich; install it with pip install 'movepages[cli]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("movepages: interrupted", file=sys.stderr)
        return 130
