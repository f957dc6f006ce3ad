"""Images of an unknown version of Pillow, with classes that stand for its own."""

import ctypes

import pytest

import movepages as mp
from library_fixtures import made
from movepages.inputs import pil_images


def image_core(**attributes):
    defaults = {"bands": 1, "size": (10, 10), "ptr": capsule(), **attributes}
    return made("PIL._imaging", "ImagingCore", **defaults)


def capsule(name=b"Pillow Imaging"):
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
        ("PyCapsule_New", ctypes.pythonapi)
    )
    return new(ctypes.addressof(EMPTY), name, None)


EMPTY = (ctypes.c_char * 256)()


def test_another_version_of_pillow() -> None:
    with pytest.raises(TypeError, match="this version of Pillow"):
        mp.where(made("PIL.Image", "Image", im=image_core()))
    with pytest.raises(TypeError, match=r"not loaded; call \.load\(\)"):
        mp.where(made("PIL.Image", "Image", im=None))


def test_a_capsule_of_another_name_is_not_read(monkeypatch) -> None:
    monkeypatch.setattr(pil_images, "_NumberedMode", None)
    unknown = image_core(ptr=capsule(b"Imaging"))
    with pytest.raises(TypeError, match="this version of Pillow"):
        mp.where(made("PIL.Image", "Image", im=unknown))
