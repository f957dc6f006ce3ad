"""Objects of libraries move: get_mempolicy(2) finds their pages, with their bytes unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.kinds_base import KERNEL

TESTS = Path(__file__).parents[1]
LIBRARIES = sorted(
    file.stem.removeprefix("kinds_") for file in (TESTS / "libraries").glob("kinds_*.py")
)


# The wheels of these need AVX. The processors of guests have it if the lab is asked for it.
NEED_AVX = {"jax", "polars"}
# The import of each of the others takes a minute in a guest.
BY_DEFAULT = {"arrow", "cffi", "pandas", "pil", "sparse", "torch"}


def pytest_generate_tests(metafunc):
    every = metafunc.config.getoption("every_library")
    chosen = set(LIBRARIES) if every else BY_DEFAULT
    if " avx " not in Path("/proc/cpuinfo").read_text():
        chosen -= NEED_AVX
    metafunc.parametrize("library", sorted(chosen))


def test_every_kind_of_object_moves(two_nodes, library):
    if KERNEL < (6, 7):
        pytest.skip(
            "tried on newer kernels: the import of these libraries takes minutes in a guest"
        )
    program = TESTS / "numa" / "move_kinds.py"
    done = subprocess.run(
        [sys.executable, "-P", program, library],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    if (needs := done.stdout.splitlines()[0]).startswith("needs"):
        pytest.skip(f"{needs}, which the extra `libraries` installs")
    assert re.fullmatch(r"moved [1-9]\d* kinds", done.stdout.splitlines()[-1])
