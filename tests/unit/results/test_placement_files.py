"""Files of placements with something wrong in them are rejected, and do no harm."""

import numpy as np
import pytest

import damage
import movepages as mp
from movepages.pages.runs import RUN_DTYPE
from movepages.results.absence import ABSENCE_DTYPE

# Files are the same on every kernel.
pytestmark = pytest.mark.host

PAGE = damage.PAGE


@pytest.fixture(scope="module")
def placement():
    return damage.whole_placement()


@pytest.fixture
def arrays(placement):
    return damage.arrays_of(placement)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "x.npz"


def load_or_none(file):
    try:
        return mp.Placement.load(file)
    except ValueError:
        return None


def test_damaged_bytes(pytestconfig, placement, file):
    placement.save(file)
    ours, rng, refused = file.read_bytes(), np.random.default_rng(3), 0
    theirs = damage.packed(damage.arrays_of(placement))
    tries = pytestconfig.getoption("damaged_files")
    for number in range(tries):
        file.write_bytes(damage.damaged_bytes((ours, theirs)[number % 2], rng))
        found = load_or_none(file)
        refused += found is None
        assert found is None or damage.same(found, placement)
    assert tries / 2 < refused < tries


def test_damaged_content(pytestconfig, placement, arrays, file):
    rng, refused = np.random.default_rng(4), 0
    tries = pytestconfig.getoption("damaged_files")
    for _ in range(tries):
        file.write_bytes(damage.packed(damage.damaged_arrays(arrays, rng)))
        found = load_or_none(file)
        refused += found is None
        if found is not None:
            # Another node, or a page further on: nothing in the file shows that it was otherwise.
            assert (found.pages, found.nbytes) == (placement.pages, placement.nbytes)
            damage.use_all_of(found, file)
    assert tries / 2 < refused < tries


def runs_of(*records):
    return np.array(list(records), RUN_DTYPE)


def absences_of(*records):
    return np.array(list(records), ABSENCE_DTYPE)


BASE = 1 << 40
# Two pages on node 0, and two absent ones.
SOUND = {
    "movepages_placement": np.array([BASE, 4 * PAGE, 4, PAGE, 0, 0], np.uint64),
    "runs": runs_of((BASE, 2, 2 * PAGE, 0), (BASE + 2 * PAGE, 2, 2 * PAGE, -2)),
    "absences": absences_of((BASE + 2 * PAGE, 2, 1)),
    "axes": np.array(((4, PAGE), (PAGE, 1)), np.int64),
}


def numbers(**changed):
    found = dict(zip(damage.NUMBERS, SOUND["movepages_placement"].tolist(), strict=True))
    return np.array(list({**found, **changed}.values()), np.uint64)


def stretch(start, pages, status=-2, nbytes=None):
    return (BASE + start * PAGE, pages, pages * PAGE if nbytes is None else nbytes, status)


MOST = (1 << 63) - 1
WRONG = {
    "a sum that wraps": {
        "runs": runs_of(stretch(0, MOST, 0, PAGE), stretch(1, MOST, 0, PAGE), stretch(2, 6, 0, 2)),
    },
    "overlap": {"runs": runs_of(stretch(0, 3, 0, 2 * PAGE), stretch(2, 1, -2, 2 * PAGE))},
    "no order": {"runs": SOUND["runs"][::-1]},
    "the same twice": {"runs": runs_of(stretch(0, 2, 0), stretch(0, 2, -2))},
    "between pages": {"runs": runs_of((BASE + 8, 4, 4 * PAGE, 0))},
    "beyond all addresses": {
        "movepages_placement": numbers(address=(1 << 64) - 2 * PAGE, nbytes=4 * PAGE),
        "runs": runs_of(((1 << 64) - 2 * PAGE, 4, 4 * PAGE, 0)),
    },
    "another address": {"movepages_placement": numbers(address=BASE + PAGE)},
    "no pages": {"runs": runs_of(stretch(0, 0, 0), stretch(0, 4))},
    "fewer than no pages": {"runs": runs_of(stretch(0, -1, 0), stretch(1, 5))},
    "fewer than no bytes": {"runs": runs_of(stretch(0, 2, 0, -PAGE), stretch(2, 2, -2, 5 * PAGE))},
    "more bytes than pages": {
        "runs": runs_of(stretch(0, 2, 0, 3 * PAGE), stretch(2, 2, -2, PAGE)),
    },
    "a node that cannot be": {"runs": runs_of(stretch(0, 2, 1 << 20), stretch(2, 2))},
    "an errno that cannot be": {"runs": runs_of(stretch(0, 2, 0), stretch(2, 2, -5000))},
    "floats": {"runs": np.zeros(2)},
    "text": {"runs": np.array(["a", "b"])},
    "objects": {"runs": np.array([None, 1], object)},
    "two dimensions": {"runs": SOUND["runs"].reshape(2, 1)},
    "other fields": {"runs": SOUND["absences"]},
    "no page size": {"movepages_placement": numbers(page_size=0)},
    "pages of 3 bytes": {"movepages_placement": numbers(page_size=3)},
    "pages of half of all addresses": {"movepages_placement": numbers(page_size=1 << 63)},
    "a page size that is no number": {
        "movepages_placement": np.where(numbers() == PAGE, np.nan, numbers().astype(float)),
    },
    "numbers below 0": {"movepages_placement": -numbers().astype(np.int64)},
    "too few numbers": {"movepages_placement": numbers()[:5]},
    "a process that cannot be": {"movepages_placement": numbers(pid=1 << 31)},
    "more partial pages than pages": {"movepages_placement": numbers(shared_edges=5)},
    "partial pages that are full": {"movepages_placement": numbers(shared_edges=4)},
    "fewer bytes than runs": {"movepages_placement": numbers(nbytes=4 * PAGE - 1, shared_edges=1)},
    "a reason that is none": {"absences": absences_of((BASE + 2 * PAGE, 2, 250))},
    "no reason": {"absences": absences_of((BASE + 2 * PAGE, 2, 0))},
    "fewer than no pages absent": {"absences": absences_of((BASE + 2 * PAGE, -2, 1))},
    "more absent than there is": {"absences": absences_of((BASE + 2 * PAGE, 3, 1))},
    "absent with a node": {"absences": absences_of((BASE, 2, 1))},
    "absent elsewhere": {"absences": absences_of((BASE + 3 * PAGE, 2, 1))},
    "absent twice": {
        "absences": absences_of((BASE + 2 * PAGE, 1, 1), (BASE + 2 * PAGE, 1, 2)),
    },
    "a dimension of none": {"axes": np.array(((4, 0), (PAGE, 1)), np.int64)},
    "a dimension below 0": {"axes": np.array(((4, -1), (PAGE, 1)), np.int64)},
    "one dimension": {"axes": np.array(((4,), (PAGE,)), np.int64)},
    "three rows of axes": {"axes": np.zeros((3, 2), np.int64)},
    "too many dimensions": {"axes": np.ones((2, 100), np.int64)},
    "strides beyond the array": {"axes": np.array(((4, 2), (PAGE, 1 << 62)), np.int64)},
    "more elements than there can be": {"axes": np.array(((MOST, MOST), (0, 0)), np.int64)},
    "a member of another name": {"more": np.zeros(3)},
}  # fmt: skip


def test_sound_file_made_by_hand(file):
    np.savez(file, **SOUND)
    damage.use_all_of(mp.Placement.load(file), file)


@pytest.mark.parametrize("name", WRONG)
def test_file_with_something_wrong_is_rejected(file, name):
    np.savez(file, **{**SOUND, **WRONG[name]})
    with pytest.raises(
        ValueError, match=r"x\.npz' is not a placement that Placement\.save\(\) wrote"
    ):
        mp.Placement.load(file)


@pytest.mark.parametrize("name", ["movepages_placement", "runs", "absences"])
def test_missing_member_is_named(file, name):
    np.savez(file, **{key: value for key, value in SOUND.items() if key != name})
    with pytest.raises(ValueError, match=f"the file has no member '{name}'"):
        mp.Placement.load(file)


def test_wrong_sum_is_reported(file):
    np.savez(file, **{**SOUND, "runs": SOUND["runs"][:1]})
    with pytest.raises(ValueError, match="runs have 2 pages, expected 4"):
        mp.Placement.load(file)


def test_file_without_axes_is_read(file):
    np.savez(file, **{key: value for key, value in SOUND.items() if key != "axes"})
    assert mp.Placement.load(file).shape == ()


def test_file_in_the_other_byte_order(file):
    other = {k: v.astype(v.dtype.newbyteorder(">")) for k, v in SOUND.items()}
    np.savez(file, **other)
    found = mp.Placement.load(file)
    assert found.runs.dtype == RUN_DTYPE
    assert found.runs.tolist() == SOUND["runs"].tolist()
