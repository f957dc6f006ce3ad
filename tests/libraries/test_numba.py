"""where() of lists and mappings of numba."""

import numpy as np
import pytest

import movepages as mp

typed = pytest.importorskip("numba.typed")


def test_the_members_are_its_arrays() -> None:
    arrays = [np.full(1000, value) for value in range(3)]
    items = typed.List()
    for each in arrays:
        items.append(each)
    for found in (mp.where(items), mp.where(items)):
        assert list(found) == ["[0]", "[1]", "[2]"]
        assert [each.address for each in found.values()] == [each.ctypes.data for each in arrays]
        assert [each.nbytes for each in found.values()] == [each.nbytes for each in arrays]
    assert [each.tolist() for each in items] == [each.tolist() for each in arrays]


def test_a_mapping_of_arrays() -> None:
    items = typed.Dict()
    items["x"] = np.ones(1000)
    assert mp.where(items)["x"].address == items["x"].ctypes.data


def test_numbers_are_refused() -> None:
    items = typed.List()
    items.append(1.5)
    with pytest.raises(TypeError, match="does not say where"):
        mp.where(items)


def test_an_empty_list_has_no_memory() -> None:
    with pytest.raises(TypeError, match="no array"):
        mp.where(typed.List())
