"""A placement goes through a file unchanged, and what is none is refused."""

import numpy as np
import pytest

import movepages as mp
from support import memory

PAGE = memory.PAGE


@pytest.fixture
def placement():
    a = memory.anonymous(50 * PAGE)
    a[3 * PAGE : 30 * PAGE] = 1
    return mp.where(a[5:-7])


def test_there_and_back(tmp_path, placement):
    file = tmp_path / "before"
    placement.save(file)
    again = mp.Placement.load(file)
    assert again == placement
    assert np.array_equal(again.absences, placement.absences)
    assert (again.address, again.shared_edges, again.nbytes) == (
        placement.address, placement.shared_edges, placement.nbytes,
    )  # fmt: skip
    assert str(again) == str(placement)
    assert not again.runs.flags.writeable


def test_it_is_a_target(tmp_path):
    a = memory.anonymous(9 * PAGE)
    a[:] = 1
    mp.where(a).save(tmp_path / "p.npz")
    result = mp.move(a, mp.Placement.load(tmp_path / "p.npz"))
    assert (result.already_there, result.pages) == (9, 9)
    with pytest.raises(ValueError, match="the placement has 9 pages"):
        mp.move(a[PAGE:], mp.Placement.load(tmp_path / "p.npz"))


def test_an_address_of_the_upper_half(tmp_path):
    p = mp.where(mp.Region((1 << 64) - 4096, 4096))
    p.save(tmp_path / "p.npz")
    assert mp.Placement.load(tmp_path / "p.npz") == p


def other_npz(file):
    np.savez(file, a=np.zeros(3))


def other_runs(file):
    numbers = np.zeros(6, np.uint64)
    np.savez(file, movepages_placement=numbers, runs=np.zeros(3), absences=np.zeros(3))


def one_array(file):
    with open(file, "wb") as out:
        np.save(out, np.zeros(3))


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"PK\x03\x04 and no more"),
        lambda file: file.write_text("a text"),
        other_npz,
        other_runs,
        one_array,
    ],
)
def test_what_is_no_placement(tmp_path, write):
    file = tmp_path / "x.npz"
    write(file)
    with pytest.raises(ValueError, match=r"x\.npz' is no placement"):
        mp.Placement.load(file)


def test_a_damaged_file_is_refused_or_whole(tmp_path, placement):
    file = tmp_path / "x.npz"
    placement.save(file)
    whole = file.read_bytes()
    random = np.random.default_rng(3)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        file.write_bytes(damaged)
        try:
            assert mp.Placement.load(file).pages >= 0
        except (ValueError, OSError):
            refused += 1
    assert refused > 100


def test_runs_that_do_not_add_up(tmp_path, placement):
    numbers = np.array([0, 5, 7, 4096, 0, 0], np.uint64)
    file = tmp_path / "x.npz"
    np.savez(file, movepages_placement=numbers, runs=placement.runs, absences=placement.absences)
    with pytest.raises(ValueError, match="its runs have 50 pages, and it tells of 7"):
        mp.Placement.load(file)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        mp.Placement.load(tmp_path / "nothing")
