"""Objects that export memory by DLPack alone, made with ctypes: valid and hostile ones."""

import ctypes

import numpy as np

_CPU = (1, 0)


class Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32), ("code", ctypes.c_uint8), ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)), ("byte_offset", ctypes.c_uint64),
    )  # fmt: skip


DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Managed(ctypes.Structure):
    _fields_ = (("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", DELETER))


class Versioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32), ("minor", ctypes.c_uint32), ("context", ctypes.c_void_p),
        ("deleter", DELETER), ("flags", ctypes.c_uint64), ("tensor", Tensor),
    )  # fmt: skip


NAMES = {Managed: b"dltensor", Versioned: b"dltensor_versioned"}
READ_ONLY, IS_COPIED, IS_PADDED = 1, 2, 4
# PYFUNCTYPE, because a capsule without a destructor needs the GIL and nothing else.
_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
    ("PyCapsule_GetName", ctypes.pythonapi)
)
# What capsules point to stays for good: a test is to see wrong calls, not to crash from them.
_kept = []


def name_of(capsule):
    return _get_name(capsule)


def capsule_at(address, name):
    _kept.append(name)
    return _new(address, name, None)


class Export:
    """One exported tensor: its capsule, and how often its deleter was called.

    The capsule has no destructor, so only whoever takes the tensor calls the deleter.
    """

    def __init__(self, kind=Versioned, *, name=None, deleter=True, on_delete=None, major=1,
                 flags=0, data=0, shape=(), strides=None, bits=8, lanes=1, ndim=None,
                 device=_CPU, byte_offset=0):  # fmt: skip
        self.deleted = 0
        self._on_delete = on_delete
        self.managed = kind()
        self._arrays = [
            None if values is None else (ctypes.c_int64 * max(len(values), 1))(*values)
            for values in (shape, strides)
        ]
        self.managed.tensor = Tensor(
            data, *device, len(shape or ()) if ndim is None else ndim, 2, bits, lanes,
            *self._arrays, byte_offset,
        )  # fmt: skip
        if deleter:
            self.managed.deleter = DELETER(self._delete)
        if kind is Versioned:
            self.managed.major, self.managed.flags = major, flags
        _kept.append(self)
        self.capsule = capsule_at(
            ctypes.addressof(self.managed), NAMES[kind] if name is None else name
        )

    def _delete(self, address):
        assert address == ctypes.addressof(self.managed)
        self.deleted += 1
        if self._on_delete is not None:
            self._on_delete()


def export_of(array, kind=Versioned, **others):
    """Export the memory of a numpy array, with any value replaced."""
    described = {
        "data": array.ctypes.data,
        "shape": array.shape,
        "strides": [stride // array.itemsize for stride in array.strides],
        "bits": array.itemsize * 8,
    }
    return Export(kind, **(described | others))


class Speaks:
    """An object with DLPack and nothing else; `export` is called for each capsule."""

    def __init__(self, export, device=_CPU):
        self.export, self.device = export, device

    def __dlpack_device__(self):
        return self.device

    def __dlpack__(self, *, max_version=None, copy=None):
        assert (max_version, copy) == ((1, 0), False)
        return self.export()


class OfArray:
    """A numpy array of which only its own DLPack is seen."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self):
        return self.array.__dlpack__()


def speaking(array, kind=Versioned, **others):
    """Return an object that exports an array, and the list of its exports so far."""
    made = []

    def export():
        made.append(export_of(array, kind, **others))
        return made[-1].capsule

    return Speaks(export), made


KINDS = [Managed, Versioned]
A = np.arange(6000.0).reshape(10, 20, 30)
ARRAYS = {
    "C": A, "F": A.T, "middle": A[:, 3:7], "stepped": A[::2, ::3, ::4], "backwards": A[::-1, ::-2],
    "broadcast": np.broadcast_to(A[0], (9, 20, 30)), "0-d": A[0, 0, 0:1].reshape(()),
    "empty": A[:0], "1-d": A.ravel()[5:],
}  # fmt: skip
