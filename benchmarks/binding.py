"""Measure the cost of the binding: queries by movepages, C and ctypes, in turn in one process.

    python benchmarks/binding.py            # the table
    python benchmarks/binding.py --check    # also exit with 1 if a bound does not hold
    python benchmarks/binding.py --json

The contenders take turns in each round, so that a change in the machine's speed affects them all.
Each figure is the median over the rounds; a ratio is taken within its round. Every round also
compares the answers of all contenders.
"""

from __future__ import annotations

import argparse
import json
import sys
from statistics import median

from harness.contenders import by_ctypes, by_movepages
from harness.contest import Bound, Row, query_rounds, ratio, seconds
from harness.memory import PAGE, pages_of, small_pages

LARGE_RATIO, SMALL_EXCESS_US, CTYPES_RATIO = 1.02, 1.0, 4.0


def measure(count: int, rounds: int, calls: int = 20_000) -> dict[str, float]:
    """Measure queries of `count` pages, and `calls` queries of one page per round."""
    memory = small_pages(count * PAGE)
    pages = pages_of(memory)
    contenders = {"movepages": by_movepages, "ctypes": by_ctypes}
    small = query_rounds(pages[:1].copy(), contenders, rounds, calls)
    large = query_rounds(pages, contenders, rounds)
    return {
        "pages": count,
        "rounds": rounds,
        "many_ratio_to_c": ratio(large, "movepages", "C"),
        "many_ns_per_page": seconds(large, "movepages") / count * 1e9,
        "one_us": seconds(small, "movepages") * 1e6,
        "one_c_us": seconds(small, "C") * 1e6,
        "one_ctypes_us": seconds(small, "ctypes") * 1e6,
        "one_us_above_c": median(r["movepages"] - r["C"] for r in small) * 1e6,
        "one_times_faster_than_ctypes": ratio(small, "ctypes", "movepages"),
    }


def rows(figures: dict[str, float]) -> list[Row]:
    """Return the figures that have bounds."""
    c, ours, theirs = (figures[f"one_{name}us"] for name in ("c_", "", "ctypes_"))
    return [
        Row(f"query of {figures['pages']:,} pages / C", figures["many_ratio_to_c"],
            bound=Bound("<=", LARGE_RATIO),
            detail=f"movepages {figures['many_ns_per_page']:.0f} ns per page"),
        Row("query of one page - C", figures["one_us_above_c"], "us", Bound("<=", SMALL_EXCESS_US),
            f"C {c:.2f} us, movepages {ours:.2f} us"),
        Row("query of one page: ctypes / movepages", figures["one_times_faster_than_ctypes"],
            bound=Bound(">=", CTYPES_RATIO),
            detail=f"ctypes {theirs:.2f} us, movepages {ours:.2f} us"),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pages", type=int, default=1_000_000, help="pages of the large query")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound does not hold")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = measure(options.pages, options.rounds)
    table = rows(figures)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for row in table:
            value = f"{row.value:.{2 if row.unit == 'us' else 3}f} {row.unit}"
            bound = f"{row.bound.relation} {row.bound.limit} {row.unit}"
            print(f"{row.name:44} {value:>10}   {bound:>10}   {'yes' if row.holds else 'NO'}")
        print(
            f"one page: C {figures['one_c_us']:.2f} us, movepages {figures['one_us']:.2f} us, "
            f"ctypes {figures['one_ctypes_us']:.2f} us; median of {figures['rounds']} rounds"
        )
    return 0 if not options.check or all(row.holds for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
