"""C data of cffi for the tests of moves."""

import cffi

_FFI = cffi.FFI()

KINDS = [
    # Initializers touch all of it.
    ("cffi-array", lambda: _FFI.new("double[]", [1.5] * (1 << 18))),
    ("cffi-pointer-to-array", lambda: _FFI.new("char(*)[2097152]", b"a" * (1 << 21))),
]
