"""where() of Pillow's images, against the pixels that Pillow itself returns."""

import ctypes

import pytest

import movepages as mp

Image = pytest.importorskip("PIL.Image")

# Bytes that Pillow keeps for each pixel.
MODES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "LA": 4, "RGB": 4, "RGBA": 4, "CMYK": 4, "F": 4, "I": 4}


def drawn(mode, size):
    image = Image.linear_gradient("L").resize(size).convert("RGB" if mode == "I;16" else mode)
    return image.convert("I").convert(mode) if mode == "I;16" else image


def found_members(image):
    found = mp.where(image)
    return list(found.values()) if isinstance(found, mp.Placements) else [found]


def stored_bytes(image):
    return b"".join(ctypes.string_at(each.address, each.nbytes) for each in found_members(image))


@pytest.mark.parametrize("mode", MODES)
def test_the_memory_holds_the_pixels(mode) -> None:
    image = drawn(mode, (317, 211))
    found = mp.where(image)
    assert found.nbytes == 317 * 211 * MODES[mode]
    assert found.shape == (211, 317)
    if mode in ("1", "LA"):
        # Pillow keeps a byte for each bit, and four for two bands.
        image.putpixel((5, 3), (201, 17) if mode == "LA" else 255)
        place = found.address + (3 * 317 + 5) * MODES[mode]
        stored = ctypes.string_at(place, MODES[mode])
        assert stored == (bytes([201, 201, 201, 17]) if mode == "LA" else b"\xff")
    else:
        raw = "RGBX" if mode == "RGB" else mode
        assert stored_bytes(image) == image.tobytes("raw", raw)


def test_the_address_is_that_of_a_shared_buffer() -> None:
    shared = bytearray(range(200)) * 40
    image = Image.frombuffer("L", (200, 40), shared, "raw", "L", 0, 1)
    assert mp.where(image).address == mp.where(shared).address


def test_rows_of_a_shared_buffer_may_run_upwards_and_lie_apart() -> None:
    shared = bytearray(256 * 40)
    image = Image.frombuffer("L", (200, 40), shared, "raw", "L", 256, -1)
    found = mp.where(image)
    assert found.address == mp.where(shared).address
    assert found.nbytes == 200 * 40


def test_the_address_is_that_of_the_arrow_buffer() -> None:
    class ArrowArray(ctypes.Structure):
        _fields_ = [(f"n{index}", ctypes.c_int64) for index in range(5)] + [
            ("buffers", ctypes.POINTER(ctypes.c_void_p))
        ]

    image = drawn("F", (100, 100))
    if not hasattr(image, "__arrow_c_array__"):
        pytest.skip("needs Pillow 11.3")
    _, capsule = image.__arrow_c_array__()
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    array = ArrowArray.from_address(get(capsule, b"arrow_array"))
    assert mp.where(image).address == array.buffers[1]


def test_a_large_image_is_several_blocks() -> None:
    image = drawn("F", (4096, 2000))
    found = mp.where(image)
    assert len(found) > 1
    assert next(iter(found)).startswith("rows[0:")
    assert found.nbytes == 4096 * 2000 * 4
    assert stored_bytes(image) == image.tobytes()


def test_nothing_is_copied_or_changed() -> None:
    image = drawn("RGB", (500, 500))
    before = image.tobytes()
    assert mp.where(image).address == mp.where(image).address
    assert image.tobytes() == before
    image.putpixel((0, 0), (9, 8, 7))
    assert ctypes.string_at(mp.where(image).address, 3) == bytes([9, 8, 7])


@pytest.mark.parametrize("size", [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_very_small_images(size) -> None:
    assert mp.where(Image.new("L", size)).nbytes == size[0] * size[1]


@pytest.mark.parametrize("kind", ["png", "bmp", "tiff", "gif", "webp"])
def test_an_image_file_is_refused_until_it_is_loaded(tmp_path, kind) -> None:
    drawn("L", (64, 64)).save(tmp_path / f"a.{kind}")
    with Image.open(tmp_path / f"a.{kind}") as image:
        with pytest.raises(TypeError, match=r"not in this process's memory.*\.load\(\)"):
            mp.where(image)
        image.load()
        found = mp.where(image)
        assert found.address == mp.where(image).address
        assert found.nbytes == 64 * 64 * len(image.getbands() if kind != "webp" else "RGBA")


def test_a_closed_image_is_refused() -> None:
    image = Image.new("L", (10, 10))
    image.close()
    with pytest.raises(ValueError, match="closed"):
        mp.where(image)
