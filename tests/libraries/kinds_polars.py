"""Objects of polars with a mebibyte of memory or more, by kind."""

import datetime

import numpy as np
import polars as pl

N = 1 << 18
NUMBERS = np.arange(N)


def texts(count: int) -> list[str]:
    return [f"a string of some length {number}" for number in range(count)]


def frame() -> pl.DataFrame:
    return pl.DataFrame({"price": NUMBERS * 0.5, "a b": NUMBERS, "name": texts(8) * (N // 8)})


def categories(dtype: pl.DataType) -> pl.Series:
    return pl.Series(["first category", "second category"] * 2 * N, dtype=dtype)


def dates() -> pl.Series:
    return pl.Series([datetime.date(2020, 1, 1)]).new_from_index(0, N)


KINDS = [
    ("numbers", lambda: pl.Series(NUMBERS)),
    ("nulls", lambda: pl.Series([1, None, 3, 4] * (N // 4))),
    ("booleans", lambda: pl.Series(np.tile(NUMBERS % 2 == 0, 40))),
    ("dates", dates),
    ("datetimes", lambda: dates().cast(pl.Datetime)),
    ("decimals", lambda: pl.Series(NUMBERS).cast(pl.Decimal(20, 2))),
    ("strings", lambda: pl.Series(texts(N // 8))),
    ("short strings", lambda: pl.Series(["short"] * N)),
    ("binary", lambda: pl.Series([b"more than twelve bytes"] * (N // 4))),
    ("categories", lambda: categories(pl.Categorical())),
    ("enumeration", lambda: categories(pl.Enum(["first category", "second category"]))),
    ("lists", lambda: pl.Series([[1, 2], [3]] * (N // 4))),
    ("arrays", lambda: pl.Series(NUMBERS.reshape(-1, 4), dtype=pl.Array(pl.Int64, 4))),
    ("structs", lambda: frame().to_struct("struct")),
    ("slice", lambda: pl.Series(NUMBERS)[1000 : N - 1000]),
    ("chunks", lambda: pl.concat([frame(), frame()], rechunk=False)),
    ("frame", frame),
]
