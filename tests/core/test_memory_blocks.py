"""The nodes of memory blocks, from folders laid out like sysfs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import movepages as mp
from support.compiling import ADDRESS_SANITIZER, CORE, STRICT, compiler

SOURCE = Path(__file__).parent / "blocks" / "print_blocks.cpp"
NEEDED = [path for path in CORE if path.name in ("memory_blocks.cpp", "pagemap.cpp")]

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def read_blocks(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[object], tuple[int, dict[int, int]]]:
    """Return a function that returns the bytes in a block and the node of each known block."""
    program = tmp_path_factory.mktemp("blocks") / "print_blocks"
    command = [*compiler(), *STRICT, *ADDRESS_SANITIZER, SOURCE, *NEEDED, "-o", program]
    subprocess.run(command, check=True)

    def read(folder: object) -> tuple[int, dict[int, int]]:
        done = subprocess.run([program, str(folder)], capture_output=True, text=True, check=True)
        size, *lines = done.stdout.splitlines()
        return int(size), {int(block): int(node) for block, node in map(str.split, lines)}

    return read


def lay_out(folder, nodes, size="8000000\n"):
    (folder / "memory").mkdir(parents=True)
    if size is not None:
        (folder / "memory" / "block_size_bytes").write_text(size)
    for name, blocks in nodes.items():
        (folder / "node" / name).mkdir(parents=True)
        for block in blocks:
            (folder / "node" / name / block).mkdir()
    return folder


def test_blocks_of_memory(tmp_path, read_blocks):
    nodes = {
        "node0": ["memory0", "memory2", "memory5", "cpu0", "memory_failure"],
        "node16": ["memory1", "memory5", "memory7"],
        "nodes": ["memory3"],
        "power": [],
    }
    size, found = read_blocks(lay_out(tmp_path, nodes))
    assert size == 128 << 20
    assert found == {0: 0, 1: 16, 2: 0, 7: 16}, "blocks 3 to 6 are absent, or on two nodes"


@pytest.mark.parametrize("size", [None, "", "0\n", "3000\n", "no number\n"])
def test_blocks_of_unknown_size_are_ignored(tmp_path, read_blocks, size):
    assert read_blocks(lay_out(tmp_path, {"node0": ["memory0"]}, size)) == (0, {})


def test_blocks_of_this_machine(read_blocks):
    size, known = read_blocks("/sys/devices/system")
    if not known:
        pytest.skip("needs memory blocks in sysfs: CONFIG_MEMORY_HOTPLUG")
    assert size >= 1 << 20
    assert set(known.values()) <= set(mp.topology().memory_nodes)
