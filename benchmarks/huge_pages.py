"""Measure the cost of listing all pieces of a huge page instead of one of them.

    python benchmarks/huge_pages.py            # needs two nodes and transparent huge pages
    python benchmarks/huge_pages.py --check    # also exit with 1 if the bound does not hold

In a guest that derives time from its count of instructions, the ratio is one of instructions:

    python tests/vm/lab.py --icount --kernel linux-image-6.12-amd64 \\
        --command 'python benchmarks/huge_pages.py --check'

Each move goes to another node than the one before, and its statuses are checked.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from statistics import median

import numpy as np

import movepages as mp
from harness.memory import PAGE, huge_page_size, huge_pages, pages_of

RATIO = 1.1


def main() -> int:
    """Print a line for queries and one for moves; return 1 if `--check` finds a broken bound."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=32, help="number of huge pages (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the bound is broken")
    options = parser.parse_args()
    nodes = itertools.cycle(mp.topology().allowed_nodes[:2])
    huge = huge_page_size()
    array = huge_pages(options.pages * huge)
    pieces = pages_of(array)
    lists = {"heads": pieces[:: huge // PAGE].copy(), "pieces": pieces}
    ratios = {"query": [], "move": []}
    for _ in range(options.rounds):
        for what, ratio in ratios.items():
            took = {}
            for name, pages in lists.items():
                node = next(nodes) if what == "move" else None
                start = time.perf_counter()
                status = mp.move_pages(pages, node)
                took[name] = time.perf_counter() - start
                assert len(np.unique(status)) == 1
                assert status[0] >= 0 if node is None else status[0] == node
            ratio.append(took["pieces"] / took["heads"])
    found = {what: median(ratio) for what, ratio in ratios.items()}
    name = f"{len(pieces):,} pieces / {options.pages} huge pages"
    print(f"query of {name:36} {found['query']:7.2f} x")
    print(f"move of  {name:36} {found['move']:7.2f} x    <= {RATIO} x")
    return int(options.check and found["move"] > RATIO)


if __name__ == "__main__":
    sys.exit(main())
