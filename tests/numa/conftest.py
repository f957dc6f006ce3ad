"""Fixtures of the tests that need several nodes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Mount a file system on a RAM disk."""
    device = Path("/dev/ram0")
    tools = [shutil.which(name) for name in ("modprobe", "mkfs.ext4", "mount")]
    if os.geteuid() or not all(tools):
        pytest.skip("needs root, modprobe, mkfs.ext4 and mount")
    subprocess.run(["modprobe", "brd", "rd_nr=1", "rd_size=65536"], capture_output=True)
    if not device.exists():
        pytest.skip(f"needs the module brd, which makes {device}")
    folder = tmp_path_factory.mktemp("disk")
    subprocess.run(["mkfs.ext4", "-q", "-F", device], check=True, capture_output=True)
    subprocess.run(["mount", "-t", "ext4", device, folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)
