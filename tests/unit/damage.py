"""Random damage to files of placements: to their bytes, and to the arrays packed into them."""

import io
import struct

import numpy as np

import movepages as mp
from support import memory

PAGE = memory.PAGE
NUMBERS = ("address", "nbytes", "pages", "page_size", "shared_edges", "pid")
# The integers that are most likely to be taken for another one.
EDGES = [
    0, 1, 2, 3, 7, 250, 255, 256, 4095, 4096, 65535, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32,
    (1 << 52) - 1, 1 << 52, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
]  # fmt: skip


def whole_placement():
    """Return a placement with several runs, absent pages, and axes."""
    a = memory.anonymous(64 * PAGE)
    a[3 * PAGE : 30 * PAGE] = 1
    a[40 * PAGE : 41 * PAGE] = 1
    return mp.where(a.reshape(32, -1)[:, 5:-7])


def arrays_of(placement):
    """Return the arrays that are packed into a placement's file."""
    numbers = np.array([getattr(placement, name) for name in NUMBERS], np.uint64)
    return {
        "movepages_placement": numbers,
        "runs": placement.runs.copy(),
        "absences": placement.absences.copy(),
        "axes": np.array((placement.shape, placement.strides), np.int64),
    }


def same(one, other):
    """Return whether two placements are equal in everything."""
    numbers = all(getattr(one, name) == getattr(other, name) for name in NUMBERS)
    axes = (one.shape, one.strides) == (other.shape, other.strides)
    return numbers and axes and one == other and one.absences.tolist() == other.absences.tolist()


def use_all_of(found, file):
    """Use a placement in every way that would crash if its records did not fit together."""
    assert len(found.status) == len(found.addresses) == found.pages
    assert found.absent_bytes >= 0
    assert found.absent_pages >= sum(found.absent_reasons.values())
    assert found._repr_html_().startswith("<svg")
    assert len(found.strip(40)) <= 40
    assert str(found)
    found.save(file)
    assert same(mp.Placement.load(file), found)


def packed(arrays):
    """Return the bytes of a sound archive of these arrays."""
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def damaged_bytes(whole, rng):
    """Return the bytes of a file after one random change."""
    found = bytearray(whole)
    at, length = (int(rng.integers(len(whole))) for _ in range(2))
    kind = rng.integers(7)
    if kind <= 1:
        for _ in range(int(rng.integers(1, 4))):
            found[rng.integers(len(whole))] ^= 1 << rng.integers(8)
    elif kind == 2:
        del found[at:]
    elif kind == 3:
        del found[at : at + length % 20]
    elif kind == 4:
        found[at:at] = rng.bytes(length % 20)
    elif kind == 5:
        found[at : at + length % 20] = rng.bytes(length % 20)
    else:
        _edit_directory(found, rng)
    return bytes(found)


def _edit_directory(found, rng):
    """Write a number into a field of the records that locate the members of the archive."""
    magic = [b"PK\3\4", b"PK\1\2", b"PK\5\6"][rng.integers(3)]
    places = [i for i in range(len(found)) if found[i : i + 4] == magic]
    at = places[rng.integers(len(places))] + 4 + 2 * int(rng.integers(20))
    code, most = [("<H", 0xFFFF), ("<L", 0xFFFFFFFF)][rng.integers(2)]
    number = EDGES[rng.integers(len(EDGES))] & most
    if rng.integers(2):
        before = struct.unpack_from(code, found.ljust(at + 4, b"\0"), at)[0]
        number = (before + int(rng.integers(-64, 64))) & most
    if at + struct.calcsize(code) <= len(found):
        struct.pack_into(code, found, at, number)


def damaged_arrays(arrays, rng):
    """Change the packed arrays, so that the archive itself stays sound."""
    found = {name: array.copy() for name, array in arrays.items()}
    name = list(found)[rng.integers(len(found))]
    array, kind = found[name], rng.integers(8)
    if kind <= 3 or not len(array):
        _edit_number(array, rng)
    elif kind == 4:
        found[name] = array[rng.permutation(len(array))]
    elif kind == 5:
        found[name] = np.concatenate((array, array[: rng.integers(len(array)) + 1]))
    elif kind == 6:
        found[name] = array[rng.integers(len(array)) :]
    elif rng.integers(2):
        found[name] = array.view(np.uint8)
    else:
        found.pop(name)
        found[f"{name}s"] = array
    return found


def _edit_number(array, rng):
    part = (
        array[list(array.dtype.names)[rng.integers(len(array.dtype))]]
        if array.dtype.names
        else array
    )
    if not part.size:
        return
    number = EDGES[rng.integers(len(EDGES))]
    bits = 8 * part.itemsize
    place = np.unravel_index(rng.integers(part.size), part.shape)
    if rng.integers(2):
        number = int(part[place]) + int(rng.integers(-2, 3))
    number &= (1 << bits) - 1
    signed = part.dtype.kind == "i" and number >> (bits - 1)
    part[place] = number - (1 << bits) if signed else number
