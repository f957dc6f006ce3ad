"""Objects of pandas with a mebibyte of memory or more, by kind."""

import numpy as np
import pandas as pd

N = 1 << 18
NUMBERS = np.arange(N)


def texts(count: int = N // 8) -> list[str]:
    return [f"a string of some length {number}" for number in range(count)]


def mixed() -> pd.DataFrame:
    index = pd.date_range("2020", periods=N, freq="s")
    return pd.DataFrame(
        {
            "price": NUMBERS * 0.5,
            "a b": NUMBERS * 2.0,
            3: NUMBERS,
            "when": pd.date_range("2020", periods=N, freq="min"),
            "zone": pd.date_range("2020", periods=N, freq="min", tz="UTC"),
            "kind": pd.Categorical.from_codes((NUMBERS % 3).astype(np.int8), ["x", "y", "z"]),
            "count": pd.array(NUMBERS, dtype="Int64"),
            "name": pd.Series(texts(N), index, dtype=object),
        },
        index=index,
    )


def intervals() -> pd.arrays.IntervalArray:
    return pd.arrays.IntervalArray.from_breaks(NUMBERS.copy())


def sparse(kind: str) -> pd.Series:
    return pd.Series(pd.arrays.SparseArray((NUMBERS % 2).astype(float), fill_value=0, kind=kind))


def levels() -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([NUMBERS // 512, NUMBERS % 512])


KINDS = [
    ("floats", lambda: pd.Series(np.ones(N))),
    ("indexed floats", lambda: pd.Series(np.ones(N), index=NUMBERS[::-1].copy())),
    ("index", lambda: pd.Index(NUMBERS * 2)),
    ("datetimes", lambda: pd.Series(pd.date_range("2020", periods=N, freq="s"))),
    (
        "datetimes of a zone",
        lambda: pd.Series(pd.date_range("2020", periods=N, freq="s", tz="UTC")),
    ),
    ("timedeltas", lambda: pd.Series(pd.to_timedelta(NUMBERS))),
    ("periods", lambda: pd.Series(pd.period_range("2020", periods=N, freq="D"))),
    ("intervals", lambda: pd.Series(intervals())),
    ("interval index", lambda: pd.IntervalIndex(intervals())),
    ("categories", lambda: pd.Series(pd.Categorical(np.tile(NUMBERS % 1000, 4)))),
    ("nullable integers", lambda: pd.Series(NUMBERS, dtype="Int64")),
    ("nullable booleans", lambda: pd.Series(np.tile(NUMBERS % 2 == 0, 4), dtype="boolean")),
    ("sparse", lambda: sparse("integer")),
    ("sparse in blocks", lambda: sparse("block")),
    ("objects", lambda: pd.Series(texts(), dtype=object)),
    ("python strings", lambda: pd.Series(texts(), dtype="string[python]")),
    ("several levels", levels),
    ("frame of one block", lambda: pd.DataFrame(np.ones((N // 16, 16)))),
    ("frame of mixed columns", mixed),
    ("slice of a frame", lambda: mixed().iloc[::2]),
]
try:
    import pyarrow as pa

    KINDS += [
        ("arrow strings", lambda: pd.Series(texts(), dtype="string[pyarrow]")),
        ("arrow numbers", lambda: pd.Series(NUMBERS, dtype=pd.ArrowDtype(pa.int64()))),
    ]
except ImportError:
    pass
