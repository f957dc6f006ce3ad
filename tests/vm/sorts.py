"""Fail where numpy sorts wrongly: no test could tell that from an error of the package.

QEMU's emulation of AVX causes it: 174 of 300 argsorts of 64-bit integers were wrong, and 244 of
300 of 32-bit ones. Every guest runs this before its command.
"""

import sys

import numpy as np

TYPES = ("int16", "int32", "int64", "uint64", "float64")
CASES = 20


def wrong_sorts(cases: int = CASES) -> dict[str, int]:
    """Return, for each type, how many random arrays numpy sorts differently from Python."""
    random = np.random.default_rng(1)
    wrong = dict.fromkeys(TYPES, 0)
    for dtype in TYPES:
        for _ in range(cases):
            array = random.integers(0, 1 << 14, random.integers(2, 2000)).astype(dtype)
            order = np.argsort(array).tolist()
            expected = sorted(array.tolist())
            right = (
                sorted(order) == list(range(len(array)))
                and array[order].tolist() == expected
                and np.sort(array).tolist() == expected
                and np.unique(array).tolist() == sorted(set(expected))
            )
            wrong[dtype] += not right
    return wrong


def main() -> int:
    """Check numpy; return 0 only if it sorts as Python does."""
    wrong = {dtype: count for dtype, count in wrong_sorts().items() if count}
    for dtype, count in wrong.items():
        print(
            f"sorts: numpy {np.__version__} sorted {count} of {CASES} arrays of {dtype} wrongly;"
            " boot with noxsave, or set NPY_DISABLE_CPU_FEATURES to the wrongly emulated ones",
            file=sys.stderr,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
