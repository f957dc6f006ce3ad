"""A placement goes through a file unchanged, and other files are rejected."""

import numpy as np
import pytest

import movepages as mp
from support import memory

PAGE = memory.PAGE
NODE = mp.topology().allowed_nodes[0]


@pytest.fixture
def placement():
    a = memory.anonymous(50 * PAGE)
    a[3 * PAGE : 30 * PAGE] = 1
    return mp.where(a[5:-7])


def test_placement_survives_a_file(tmp_path, placement):
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


def test_loaded_placement_is_a_target(tmp_path):
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
def test_other_files_are_rejected(tmp_path, write):
    file = tmp_path / "x.npz"
    write(file)
    with pytest.raises(ValueError, match=r"x\.npz' is not a placement"):
        mp.Placement.load(file)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        mp.Placement.load(tmp_path / "nothing")


def test_pages_that_changed_since_are_reported(tmp_path):
    before, now = memory.anonymous(100 * PAGE), memory.anonymous(100 * PAGE)
    # This thread may come to run on another node between the two.
    memory.bind(before, NODE)
    memory.bind(now, NODE)
    before[: 50 * PAGE : PAGE] = 1
    mp.where(before).save(tmp_path / "p")
    now[20 * PAGE : 70 * PAGE : PAGE] = 1
    placement = mp.Placement.load(tmp_path / "p")
    r = mp.move(now, placement)
    # In place: 30 present and 30 absent pages. 20 have become absent, and 20 have become present.
    assert (r.already_there, r.failed, r.untargeted) == (60, 20, 20)
    assert r.failures.keys() <= {mp.PageStatus.ENOENT, mp.PageStatus.EFAULT}
    assert (r.not_attempted, r.ok) == (20, False)
    with pytest.raises(
        mp.MovePagesError, match=r"40 of 100 pages .* 20 E(NOENT|FAULT) .* 20 without"
    ):
        r.raise_for_status()
    assert "20 without a target" in str(r)
    with pytest.raises(ValueError, match=r"placement has 100 pages .* move has 99"):
        mp.move(now[PAGE:], placement)
