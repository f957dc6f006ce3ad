"""where() of scipy's sparse arrays and matrices."""

import numpy as np
import pytest

import movepages as mp

sparse = pytest.importorskip("scipy.sparse")

NAMES = {
    "csr": ["data", "indices", "indptr"],
    "csc": ["data", "indices", "indptr"],
    "bsr": ["data", "indices", "indptr"],
    "dia": ["data", "offsets"],
    "coo": ["data", "row", "col"],
}


@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("form", NAMES)
def test_the_members_are_its_arrays(form, kind) -> None:
    make = getattr(sparse, f"csr_{kind}")
    matrix = make(np.kron(np.eye(50), np.ones((4, 4)))).asformat(form)
    dense = matrix.toarray()
    for found in (mp.where(matrix), mp.where(matrix)):
        assert list(found) == NAMES[form]
        for name, member in found.items():
            array = getattr(matrix, name)
            assert (member.address, member.nbytes) == (array.ctypes.data, array.nbytes)
    assert (matrix.toarray() == dense).all()


@pytest.mark.parametrize("ndim", [1, 3])
def test_coordinates_along_another_number_of_axes(ndim) -> None:
    matrix = sparse.coo_array((np.ones(100), (np.arange(100),) * ndim))
    found = mp.where(matrix)
    assert list(found) == ["data", *(f"coords[{axis}]" for axis in range(ndim))]
    for axis, coords in enumerate(matrix.coords):
        assert found[f"coords[{axis}]"].address == coords.ctypes.data


@pytest.mark.parametrize("form", ["lil", "dok"])
def test_formats_of_python_objects_are_refused(form) -> None:
    with pytest.raises(TypeError, match=r"^x: .*Python objects, .* csr"):
        mp.where({"x": sparse.eye_array(10).asformat(form)})


def test_one_axis_in_rows() -> None:
    vector = sparse.csr_array(np.ones(100))
    assert mp.where(vector)["data"].address == vector.data.ctypes.data
