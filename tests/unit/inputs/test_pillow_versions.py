"""Images of an unknown version of Pillow, with classes that stand for its own."""

import ctypes

import pytest

import movepages as mp
from library_fixtures import made


def image_core(**attributes):
    defaults = {"bands": 1, "size": (10, 10), "ptr": capsule(), **attributes}
    return made("PIL._imaging", "ImagingCore", **defaults)


def capsule():
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
        ("PyCapsule_New", ctypes.pythonapi)
    )
    return new(ctypes.addressof(EMPTY), b"Imaging", None)


EMPTY = (ctypes.c_char * 256)()


def test_another_version_of_pillow() -> None:
    with pytest.raises(TypeError, match="this version of Pillow"):
        mp.where(made("PIL.Image", "Image", im=image_core()))
    with pytest.raises(TypeError, match=r"not loaded; call \.load\(\)"):
        mp.where(made("PIL.Image", "Image", im=None))
