"""Run all benchmarks: ratios taken within one run, as a table, JSON and a picture.

    python benchmarks/run.py                     # the table
    python benchmarks/run.py --output results    # also write .md, .json, .svg and .png
    python benchmarks/run.py --check             # also exit with 1 if a bound does not hold
    python benchmarks/run.py --only peers        # against hwloc, libnuma, numactl and STREAM
    python benchmarks/run.py --growth            # how the cost grows with pages and threads
    python benchmarks/run.py --scaling           # counts for large machines, on a model

In each round the contenders take turns and their answers are compared. Benchmarks that need two
nodes can run in the lab. With --icount, time is a count of instructions, and so are the ratios:

    python tests/vm/lab.py --kernel linux-image-6.12-amd64 --icount \\
        --command 'python benchmarks/run.py --only moves --size 64M --rounds 3'
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path

from cases.bandwidth import BANDWIDTH
from cases.creation import CREATION
from cases.engines import ENGINES
from cases.hwloc import HWLOC
from cases.members import MEMBERS
from cases.moves import MOVES
from cases.numactl import NUMACTL
from cases.peers import PEERS, moving
from cases.queries import BINDING, QUERIES, Sizes
from cases.start import START
from cases.threads import THREADS
from harness import growth, report, scaling_report
from harness.contest import Line, Row

GROUPS = {
    "queries": (*QUERIES, *HWLOC),
    "members": MEMBERS,
    "binding": BINDING,
    "moves": (*MOVES, moving, *NUMACTL),
    "threads": THREADS,
    "creation": CREATION,
    "engines": ENGINES,
    "bandwidth": BANDWIDTH,
    "start": START,
}
# Every job that another program does, too. Most are in other groups as well.
SELECTIONS = {**GROUPS, "peers": PEERS}


def as_bytes(text: str) -> int:
    """Read a size such as 64M, 1G or 4096."""
    found = re.fullmatch(r"(\d+)([KMGT]?)", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"expected a size such as 64M, 1G or 4096, got {text!r}")
    nbytes = int(found[1]) << " KMGT".index(found[2] or " ") * 10
    return -(-nbytes // 4096) * 4096


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    add = parser.add_argument
    add(
        "--only",
        action="append",
        choices=SELECTIONS,
        help="run one group of benchmarks (repeatable)",
    )
    add("--size", type=as_bytes, default="1G", help="memory to query (%(default)s)")
    add("--sparse", type=as_bytes, default="16T", help="size of a mapping of holes (%(default)s)")
    add("--move-size", type=as_bytes, default="64M", help="memory to move (%(default)s)")
    add("--rounds", type=int, default=9, help="number of rounds, for the median (%(default)s)")
    add("--growth", action="store_true", help="show how the cost grows, instead of the table")
    add(
        "--most-pages",
        type=int,
        default=10**7,
        help="largest number of pages for --growth, and of moves for --scaling (%(default)s)",
    )
    add("--scaling", action="store_true", help="count calls and memory on a model of the kernel")
    add("--output", type=Path, metavar="DIR", help="folder to write the results to")
    add("--check", action="store_true", help="exit with 1 if a bound does not hold")
    options = parser.parse_args(argv)
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, expected 1 or more")
    return options


def run_cases(options: argparse.Namespace) -> list[Line]:
    sizes = Sizes(options.size, options.sparse, options.move_size, options.rounds)
    lines: list[Line] = []
    for group in options.only or GROUPS:
        for case in SELECTIONS[group]:
            print(f"{group}: {case.__name__}", file=sys.stderr, flush=True)
            lines += case(sizes)
    return lines


def main(argv: list[str]) -> int:
    options = parse_arguments(argv)
    if options.scaling:
        scaling_report.run(options.most_pages, options.output)
        return 0
    lines: list[Line] = []
    curves: list[growth.Curve] = []
    if options.growth:
        curves = growth.measure(options.most_pages, options.rounds)
    else:
        lines = run_cases(options)
    text = report.markdown(lines, curves, options.rounds)
    print(text)
    if options.output:
        name = "growth" if curves else "benchmarks"
        told = report.as_json(lines, curves)
        report.write(options.output, name, text, told, partial(report.draw, lines, curves))
    broken = [each for each in lines if isinstance(each, Row) and each.holds is False]
    return int(options.check and bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
