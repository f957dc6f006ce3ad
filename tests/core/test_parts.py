"""The parts and steps in which new memory is populated, for huge pages of several sizes."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.compiling import ADDRESS_SANITIZER, STRICT, compiler

SOURCE = Path(__file__).parent / "parts" / "print_parts.cpp"
MIB = 1 << 20
# With pages of 4, 16 and 64 KiB.
HUGE = [2 * MIB, 32 * MIB, 512 * MIB]
Ranges = list[tuple[int, int]]
Cut = list[tuple[int, Ranges]]

pytestmark = pytest.mark.host


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, Ranges], dict[str, Cut]]:
    """Return a function that returns the bytes and the ranges of each part and of each step."""
    program = tmp_path_factory.mktemp("parts") / "print_parts"
    command = [*compiler(), *STRICT, *ADDRESS_SANITIZER, "-pthread", SOURCE, "-o", program]
    subprocess.run(command, check=True)

    def run(huge: int, ranges: Ranges) -> dict[str, Cut]:
        numbers = [str(number) for number in (huge, *sum(ranges, ()))]
        done = subprocess.run([program, *numbers], capture_output=True, text=True, check=True)
        found: dict[str, Cut] = {"part": [], "step": []}
        for line in done.stdout.splitlines():
            name, nbytes, *words = line.split()
            told = [int(word) for word in words]
            found[name].append((int(nbytes), list(zip(told[::2], told[1::2], strict=True))))
        return found

    return run


def joined(cut: Cut) -> Ranges:
    """Return the ranges in sequence, without the cuts."""
    found: Ranges = []
    for start, nbytes in (each for _, ranges in cut for each in ranges):
        if found and sum(found[-1]) == start:
            found[-1] = found[-1][0], found[-1][1] + nbytes
        else:
            found.append((start, nbytes))
    return found


@pytest.mark.parametrize("huge", HUGE)
@pytest.mark.parametrize("ahead", [0, 64 << 10])
def test_no_huge_page_is_cut(cut, huge, ahead):
    ranges = [(7 * 512 * MIB + ahead, 5 * huge + 3 * MIB), (90 * 512 * MIB, 2 * huge)]
    found = cut(huge, ranges)
    for pieces in found.values():
        assert joined(pieces) == ranges
        for nbytes, some in pieces:
            assert nbytes == sum(size for _, size in some)
            inside = [start + size for start, size in some if start + size not in map(sum, ranges)]
            assert all(end % huge == 0 for end in inside)


@pytest.mark.parametrize(("huge", "part"), [(2, 16), (32, 32), (512, 512)])
def test_parts_and_steps_are_as_small_as_that_allows(cut, huge, part):
    found = cut(huge * MIB, [(0, 2048 * MIB)])
    assert {nbytes for nbytes, _ in found["part"]} == {part * MIB}
    assert {nbytes for nbytes, _ in found["step"]} == {huge * MIB}


def test_small_ranges_share_parts_and_steps(cut):
    pages = [(at << 16, 1 << 12) for at in range(4096)]
    found = cut(2 * MIB, pages)
    assert [nbytes for nbytes, _ in found["part"]] == [16 * MIB]
    assert [nbytes for nbytes, _ in found["step"]] == [2 * MIB] * 8
    assert [each for _, some in found["step"] for each in some] == pages
