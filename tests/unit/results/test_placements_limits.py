"""Files of placements: save() writes what load() reads, and no file takes much memory."""

import os
import tracemalloc

import numpy as np
import pytest

import movepages as mp
from movepages.pages.runs import RUN_DTYPE
from movepages.results import npz_limits, npz_members
from movepages.results.npz_format import pack

# Files are the same on every kernel.
pytestmark = pytest.mark.host

MIB = 1 << 20
BASE = 1 << 40
PAGE = 4096


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.npz"


def peak_of_load(file) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"x\.npz' is not a placement"):
            mp.Placements.load(file)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def sound(pages: int, rows, **more) -> dict[str, np.ndarray]:
    """Return the arrays of a file with one run of pages, all full."""
    return {
        "movepages_placement": np.array([BASE, pages * PAGE, pages, PAGE, 0, 0], np.uint64),
        "runs": np.array([(BASE, pages, pages * PAGE, 0)], RUN_DTYPE),
        "absences": np.empty(0, [("address", "u8"), ("pages", "i8"), ("reason", "u1")]),
        "members": np.array(rows, np.uint64).reshape(-1, 5),
        "names": np.zeros(0, np.uint8),
        "numbers": np.zeros(0, np.int64),
        "pieces": np.zeros((0, 3), np.uint64),
        **more,
    }


LONG = {
    "members": np.zeros((3 * MIB, 5), np.uint64),
    "names": np.zeros(200 * MIB, np.uint8),
    "numbers": np.zeros(16 * MIB, np.int64),
    "pieces": np.zeros((8 * MIB, 3), np.uint64),
    "huge_runs": np.zeros(4 * MIB, RUN_DTYPE),
}


@pytest.mark.parametrize("name", LONG)
def test_zeros_that_are_packed_tightly_are_refused_unread(file, name):
    np.savez_compressed(file, **sound(1, [[0, BASE, PAGE, 0, 0]], **{name: LONG[name]}))
    assert file.stat().st_size < MIB
    assert peak_of_load(file) < 4 * MIB


@pytest.mark.parametrize("name", LONG)
def test_zeros_that_are_as_long_as_the_file_take_few_times_as_much(file, name):
    part = LONG[name][: len(LONG[name]) // 8]
    with open(file, "wb") as out:
        pack(out, sound(1, [[0, BASE, PAGE, 0, 0]], **{name: part}))
    assert part.nbytes <= file.stat().st_size < part.nbytes + MIB
    assert peak_of_load(file) < 4 * file.stat().st_size


def names_of(count: int) -> np.ndarray:
    return np.frombuffer(b"".join(b"%07d" % index for index in range(count)), np.uint8)


@pytest.mark.parametrize("same", [0, 1])
def test_many_members_that_are_refused_at_the_end(file, same):
    count = 100_000
    members = np.zeros((count, 5), np.uint64)
    members[:] = 7, BASE, PAGE, 0, 0
    names = names_of(count).copy()
    # The last name is the first one, or the members end elsewhere than the run.
    if same:
        names[-7:] = names[:7]
    with open(file, "wb") as out:
        pack(out, sound(1 + (1 - same), members, names=names))
    assert peak_of_load(file) < 16 * MIB + 64 * file.stat().st_size


def test_strided_members_are_counted_without_their_rows(file):
    # A block in every second page: as rows, 2**25 of them, these take a gigabyte.
    count = 1 << 25
    members = [[1, BASE, 8, 1, 0]]
    numbers = np.array([2 * PAGE, count], np.int64)
    arrays = sound(1, members, names=np.frombuffer(b"a", np.uint8), numbers=numbers)
    arrays["movepages_placement"][1:3] = 8 * count, count
    arrays["runs"] = np.array([(BASE, count, 8 * count, 0)], RUN_DTYPE)
    arrays["movepages_placement"][4] = count
    np.savez(file, **arrays)
    assert peak_of_load(file) < 16 * MIB


def test_strided_members_that_overlap_are_not_taken_apart(file):
    count = 1 << 23
    members = [[1, BASE, 8, 1, 0], [1, BASE + 4, 8, 1, 0]]
    numbers = np.array([32, count, 64, count // 2], np.int64)
    arrays = sound(1, members, names=np.frombuffer(b"ab", np.uint8), numbers=numbers)
    np.savez(file, **arrays)
    assert peak_of_load(file) < 16 * MIB


def test_as_many_overlapping_blocks_as_may_be_take_bounded_memory(file):
    count = npz_limits.MOST_OVERLAPPING_BLOCKS // 2
    members = [[1, BASE, 8, 1, 0], [1, BASE + 4, 8, 1, 0]]
    numbers = np.array([32, count, 96, count], np.int64)
    np.savez(file, **sound(1, members, names=np.frombuffer(b"ab", np.uint8), numbers=numbers))
    assert peak_of_load(file) < 128 * MIB


def some() -> dict[str, object]:
    base = np.ones((64, 4096), np.uint8)
    texts = np.array([f"text {number}" for number in range(100)], object)
    return {"plain": np.ones(10), "a": base[:, :700], "b": base[::2, 5:300], "texts": texts}


@pytest.mark.parametrize("name", npz_limits.MOST)
def test_what_is_not_loaded_is_not_saved(file, monkeypatch, name):
    found = mp.where(some())
    found.save(file)
    assert mp.Placements.load(file) == found
    monkeypatch.setitem(npz_limits.MOST, name, 1)
    with pytest.raises(ValueError, match=r"x\.npz' is not a placement"):
        mp.Placements.load(file)
    before = file.read_bytes()
    with pytest.raises(ValueError, match=rf"too much.* {name}, .*at most 1;.*below\(name\)"):
        found.save(file)
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["x.npz"]


def test_overlapping_blocks_that_are_not_loaded_are_not_saved(file, monkeypatch):
    found = mp.where(some())
    found.save(file)
    monkeypatch.setattr(npz_members, "MOST_OVERLAPPING_BLOCKS", 10)
    with pytest.raises(ValueError, match="overlap others"):
        mp.Placements.load(file)
    with pytest.raises(ValueError, match=r"too much.*overlap others.*below\(name\)"):
        found.save(file)


@pytest.mark.parametrize("count", [1000, 60_000])
def test_members_of_equal_shape_are_saved_and_loaded(file, count):
    # Their shapes and strides pack to a part in 400.
    found = mp.where([np.ones((4, 4)) for _ in range(count)])
    found.save(file)
    again = mp.Placements.load(file)
    assert again == found
    assert again["[7]"].shape == (4, 4)


@pytest.mark.parametrize("field", RUN_DTYPE.names)
@pytest.mark.parametrize("value", [-1, 0, 1, 2, 4096, 2**62])
def test_changed_runs_of_huge_pages_are_refused(file, field, value):
    found = mp.where(some())
    if found.total.huge_bytes is None:
        pytest.skip("the kernel does not show huge pages")
    found.save(file)
    arrays = dict(np.load(file))
    run = arrays["runs"][:1].copy()
    arrays["huge_bytes"] = run["nbytes"].astype(np.int64)
    np.savez(file, **{**arrays, "huge_runs": run})
    assert mp.Placements.load(file).total.huge_bytes == run["nbytes"]
    run[field] = value % 2**64 if field == "address" else min(value, np.iinfo(run[field].dtype).max)
    changed = run != arrays["runs"][:1]
    np.savez(file, **{**arrays, "huge_runs": run})
    if not changed or field == "status":
        return
    with pytest.raises(ValueError, match=r"x\.npz"):
        mp.Placements.load(file)
