"""Fixtures of the tests that need several nodes."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from support import nodes
from support.processes import PATIENCE_S

# What the tests use of one node at a time, with some to spare; small nodes have less.
ENOUGH = 640 << 20
# With more free memory than this, to fill a node would take too long.
FILLABLE = 512 << 20


@pytest.fixture(scope="module", autouse=True)
def _room():
    """Let each module begin with free memory on every node.

    With little of it, the kernel allocates on other nodes than it is asked to prefer, takes back
    pages after MADV_FREE, and gives small pages instead of huge ones.
    """
    told = [nodes.meminfo(node) for node in nodes.allowed()]
    if len(told) > 1 and any(each["MemFree"] < min(each["MemTotal"] // 2, ENOUGH) for each in told):
        nodes.make_room()


@pytest.fixture
def small_node(two_nodes):
    """Return the node with the least free memory, if that is little enough for a test to fill."""
    found = min(nodes.allowed(), key=nodes.free_bytes)
    if nodes.free_bytes(found) > FILLABLE:
        pytest.skip("needs a node that is small enough to fill")
    return found


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
    # What the kernel does with a file in the background may hold it for a moment.
    until = time.monotonic() + PATIENCE_S
    while subprocess.run(["umount", folder], capture_output=True).returncode:
        assert time.monotonic() < until, f"{folder} stays in use"
        time.sleep(1)
