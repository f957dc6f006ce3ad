"""Objects of pyarrow with a mebibyte of memory or more, by kind."""

import numpy as np
import pyarrow as pa

N = 1 << 18
_NUMBERS = np.arange(N)
_TEXT = [f"a string of some length {number}" for number in range(1 << 15)]


def struct() -> pa.Array:
    return pa.StructArray.from_arrays([pa.array(_NUMBERS), pa.array(_NUMBERS * 0.5)], ["x", "y"])


def table() -> pa.Table:
    return pa.table({"price": _NUMBERS * 0.5, "a b": _NUMBERS, "name": _TEXT * (N // len(_TEXT))})


KINDS = [
    ("numbers", lambda: pa.array(_NUMBERS)),
    ("nulls", lambda: pa.array(_NUMBERS, mask=_NUMBERS % 3 == 0)),
    ("booleans", lambda: pa.array(np.tile(_NUMBERS % 2 == 0, 40))),
    ("strings", lambda: pa.array(_TEXT)),
    ("large strings", lambda: pa.array(_TEXT, pa.large_string())),
    ("decimals", lambda: pa.array(_NUMBERS).cast(pa.decimal128(30, 2))),
    ("lists", lambda: pa.ListArray.from_arrays(np.arange(0, N, 8, np.int32), pa.array(_NUMBERS))),
    ("fixed lists", lambda: pa.FixedSizeListArray.from_arrays(pa.array(_NUMBERS), 4)),
    ("structs", struct),
    ("dictionaries", lambda: pa.array(_TEXT * 8).dictionary_encode()),
    ("slice", lambda: pa.array(_NUMBERS).slice(1000, 1 << 17)),
    ("chunks", lambda: pa.chunked_array([_NUMBERS, _NUMBERS])),
    ("table", table),
    ("batch", lambda: table().to_batches()[0]),
]
