"""The C++ core without its binding, and a compiler for it."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted(p for p in (ROOT / "csrc").glob("*/*.cpp") if p.parent.name != "binding")
STRICT = ["-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Werror", f"-I{ROOT / 'csrc'}"]
ADDRESS_SANITIZER = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def compiler() -> list[str]:
    """Return the words of the compiler's command, or skip the test."""
    found = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if not found:
        pytest.skip("needs a C++ compiler, found neither c++ nor g++")
    return found.split()
