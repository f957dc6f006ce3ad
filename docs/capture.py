"""Run the commands and the tutorial as a user would, and keep what they print for the pages.

    python docs/capture.py docs/captured                 # here
    python docs/capture.py -                             # all to stdout, for a guest
    python docs/capture.py docs/captured --from OUTPUT   # what a guest printed, into files

In the lab, where there are four nodes:

    python tests/vm/lab.py --kernel linux-image-6.12-amd64 --results /tmp/captured \\
        --command 'python docs/capture.py -'
    python docs/capture.py docs/captured --from /tmp/captured/6.12*/output.log
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

import movepages as mp

TUTORIAL = Path(__file__).with_name("tutorial.md")
COLUMNS = "80"
MARK = "==== captured: "
# In a guest this comes between the lines of what was captured.
LOOK = ": exit status 1, look at its output"

# What holds memory for the commands that look at a process: 8 MiB of it, until its input ends.
HOLDER = """
import sys
import numpy as np
import movepages as mp
a = mp.full(8 << 20, 1, np.uint8, node=mp.topology().allowed_nodes[0])
print("ready", flush=True)
sys.stdin.read()
"""

# File name, and the command; {pid} is a process that holds memory, {last} the last node, {cpu} a
# CPU of the last node that has some.
COMMANDS = {
    "topology": "movepages topology",
    "doctor": "movepages doctor",
    "where": "movepages where --self",
    "maps": "movepages maps {pid} --limit 6",
    "advise": "movepages advise {pid} --cpus {cpu}",
    "plan": "movepages move {pid} --to {last} --dry-run",
    "move": "movepages move {pid} --to {last}",
    "localize": "movepages localize {pid} --node {last}",
    "run": "movepages run --node {last} --report -- python -m timeit -n 9 '[0]*9**7'",
    "watch": "movepages watch {pid} --count 2 --interval 0.5",
    "bench": "movepages bench --size 8MiB",
    "matrix": "movepages bench --matrix",
    "demo": "movepages demo --size 8MiB",
    "schema": "movepages schema watch",
}


@contextmanager
def holder() -> Iterator[int]:
    """Start a process that holds memory on the first node."""
    command = [sys.executable, "-c", HOLDER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the process that holds memory has ended early")
        yield process.pid
        process.communicate()


def captured(command: str) -> str:
    """Return a command and what it prints on 80 columns; one that prints nothing ends this."""
    plain = {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb", "LANG": "C.UTF-8"}
    # Figures that are kept from another time would not come from this run.
    plain["XDG_CACHE_HOME"] = os.devnull
    kept = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    # The programs that are installed beside this Python.
    plain["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(shlex.split(command), env=kept | plain, capture_output=True, text=True)
    if "--report" in command:
        # The output of the command that it runs comes first.
        done.stdout += f"\n{done.stderr}"
    if done.returncode > 1 or not done.stdout:
        raise SystemExit(f"{command}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    if done.returncode:
        # Of pages that could not be moved, or of a machine that lacks something: worth showing.
        print(f"{command}{LOOK}", file=sys.stderr)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join([f"$ {command}", *lines, ""])


def tutorial() -> Iterator[tuple[str, str]]:
    """Return what each block of the tutorial prints, numbered as they come; some print nothing."""
    sybil = Sybil([PythonCodeBlockParser()], path=str(TUTORIAL.parent), pattern=TUTORIAL.name)
    number = 0
    for example in sybil.parse(TUTORIAL).examples():
        with redirect_stdout(io.StringIO()) as printed:
            example.evaluate()
        if printed.getvalue():
            number += 1
            yield f"tutorial_{number}", printed.getvalue()


def run_all() -> Iterator[tuple[str, str]]:
    """Return each file's name and what belongs in it."""
    yield from tutorial()
    machine = mp.topology()
    last, cpu = machine.allowed_nodes[-1], machine.nodes[machine.cpu_nodes[-1]].cpus[0]
    with holder() as pid:
        for name, command in COMMANDS.items():
            yield name, captured(command.format(pid=pid, last=last, cpu=cpu))


def unpack(output: str) -> Iterator[tuple[str, str]]:
    """Return the same from what a run with `-` has printed."""
    output = re.sub(rf"^.*{LOOK}\n", "", output, flags=re.MULTILINE)
    parts = re.split(rf"^{MARK}(\w+)\n", output, flags=re.MULTILINE)[1:]
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    if missing := COMMANDS.keys() - found.keys():
        raise SystemExit(f"no output of {', '.join(sorted(missing))} in there")
    yield from found.items()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("output", help="folder for a file each, or - for stdout")
    parser.add_argument("--from", dest="source", type=Path, help="unpack this instead of running")
    options = parser.parse_args()
    parts = run_all() if options.source is None else unpack(options.source.read_text())
    for name, text in parts:
        if options.output == "-":
            print(f"{MARK}{name}\n{text}", end="", flush=True)
        else:
            folder = Path(options.output)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
