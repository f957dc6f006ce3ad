"""Placements in files: what is read is equal to what was written, or refused."""

import contextlib

import numpy as np
import pytest

import movepages as mp

# Files are the same on every kernel.
pytestmark = pytest.mark.host


def some() -> dict[str, np.ndarray]:
    base = np.ones((256, 2048))
    some = {"whole": np.ones((30, 40)), "columns": base[:, ::700]}
    return {**some, "\N{GREEK SMALL LETTER PI} ": base[:0]}


def test_what_is_saved_is_what_is_loaded(tmp_path) -> None:
    arrays = some()
    before = mp.where(arrays)
    before.save(tmp_path / "before.npz")
    found = mp.Placements.load(tmp_path / "before.npz")
    assert list(found) == list(before)
    assert found.total == before.total
    for name in arrays:
        assert found[name] == before[name]
        assert (found[name].nbytes, found[name].shape, found[name].strides) == (
            before[name].nbytes,
            before[name].shape,
            before[name].strides,
        )
    assert mp.move(arrays, found).ok


def test_a_placement_alone_is_refused(tmp_path) -> None:
    mp.where(np.ones(3)).save(tmp_path / "one.npz")
    with pytest.raises(ValueError, match=r"Placements\.save\(\) wrote.*members"):
        mp.Placements.load(tmp_path / "one.npz")
    with pytest.raises(ValueError, match=r"one\.npz.*no members; Placement\.load\(\) reads"):
        mp.Placements.load(tmp_path / "one.npz")


def test_several_placements_are_not_taken_for_one(tmp_path) -> None:
    mp.where([np.ones(3)]).save(tmp_path / "several.npz")
    with pytest.raises(ValueError, match=r"several\.npz.*several members; Placements\.load\(\)"):
        mp.Placement.load(tmp_path / "several.npz")


def rewritten(file, **changes) -> None:
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, **changes})


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize("value", [0, 1, 7, 4096, 2**31, 2**62, 2**63, 2**64 - 1])
def test_changed_members_are_refused_or_equal(tmp_path, column, value) -> None:
    file = tmp_path / "before.npz"
    before = mp.where(some())
    before.save(file)
    for row in range(3):
        if (row, column) == (2, 1):
            # The member without bytes may be anywhere.
            continue
        members = np.load(file)["members"]
        same = members[row, column] == value
        members[row, column] = value
        rewritten(file, members=members)
        if same:
            assert mp.Placements.load(file).total == before.total
        else:
            with pytest.raises(ValueError, match=r"before\.npz"):
                mp.Placements.load(file)
        before.save(file)


@pytest.mark.parametrize("value", [-(2**63), -1, 0, 1, 3, 10**6, 2**40, 2**62, 2**63 - 1])
def test_changed_strides_are_refused_or_harmless(tmp_path, value) -> None:
    file = tmp_path / "before.npz"
    before = mp.where(some())
    before.save(file)
    numbers = np.load(file)["numbers"]
    for place in range(len(numbers)):
        changed = numbers.copy()
        changed[place] = value
        rewritten(file, numbers=changed)
        with contextlib.suppress(ValueError):
            found = mp.Placements.load(file)
            # Shapes serve pictures alone, and these take any that fits the memory.
            assert found.total == before.total
            assert found["columns"].pages == before["columns"].pages
            assert all(each._repr_html_() for each in found.values())


def test_names_that_are_equal_or_no_text_are_refused(tmp_path) -> None:
    file = tmp_path / "before.npz"
    mp.where({"ab": np.ones(3), "cd": np.ones(3)}).save(file)
    for names in (b"abab", b"ab\xff\xff", b"abc", b"abcde"):
        rewritten(file, names=np.frombuffer(names, np.uint8))
        with pytest.raises(ValueError, match=r"before\.npz"):
            mp.Placements.load(file)


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("value", [0, 2, 3, 4096, 2**62, 2**63, 2**64 - 1])
def test_changed_pieces_are_refused(tmp_path, column, value) -> None:
    file = tmp_path / "before.npz"
    texts = [f"{number} " * 1000 for number in range(3)]
    before = mp.where({"objects": np.array(texts, object), "whole": np.ones(3)})
    before.save(file)
    assert mp.Placements.load(file) == before
    pieces = np.load(file)["pieces"]
    assert set(pieces[:, 0].tolist()) == {1}
    for row in range(len(pieces)):
        changed = pieces.copy()
        changed[row, column] = value
        rewritten(file, pieces=changed)
        with pytest.raises(ValueError, match=r"before\.npz"):
            mp.Placements.load(file)
    for wrong in (pieces[:-1], pieces.ravel(), pieces[:, :2], pieces.astype(float)):
        rewritten(file, pieces=wrong)
        with pytest.raises(ValueError, match=r"before\.npz"):
            mp.Placements.load(file)
