"""Dask collections for the tests of moves."""

import dask.array as da

KINDS = [
    (
        "dask-array",
        lambda: da.random.random((1024, 1024), chunks=512).persist(scheduler="synchronous"),
    ),
]
