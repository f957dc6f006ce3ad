"""Swap space for tests."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def swap() -> Iterator[None]:
    """Add 64 MiB of swap on a RAM disk."""
    disk = Path("/dev/ram0")
    if not shutil.which("modprobe") or not shutil.which("mkswap"):
        pytest.skip("needs modprobe and mkswap, which this machine does not have")
    subprocess.run(["modprobe", "brd", "rd_nr=1", "rd_size=65536"], capture_output=True)
    if not disk.exists():
        pytest.skip(f"needs the module brd, which makes {disk}")
    subprocess.run(["mkswap", disk], check=True, capture_output=True)
    subprocess.run(["swapon", disk], check=True)
    try:
        yield
    finally:
        subprocess.run(["swapoff", disk], check=True)
