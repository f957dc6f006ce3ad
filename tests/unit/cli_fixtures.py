"""Runs the command line: as a process of its own, without rich, or here for its JSON."""

import json
import os
import subprocess
import sys

from movepages.cli import main

SMALL = ["demo", "--size", "1MiB"]
WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None\n"
    "from movepages.cli import main\n"
    "sys.exit(main(sys.argv[1:]))"
)


def run(*arguments, code=None, **environment):
    start = ["-c", code] if code else ["-m", "movepages"]
    plain = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-P", *start, *arguments],
        capture_output=True, text=True, encoding="utf-8", check=False, env=plain | environment,
    )  # fmt: skip


def as_data(capsys, *arguments, status=0):
    assert main(["demo", "--json", *arguments]) == status
    return json.loads(capsys.readouterr().out)


def one_line(text):
    return " ".join(text.split())
