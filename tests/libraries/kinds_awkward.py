"""Awkward arrays for the tests of moves."""

import awkward as ak
import numpy as np

_COUNTS = np.arange(600)

KINDS = [
    ("awkward-lists", lambda: ak.unflatten(np.ones(_COUNTS.sum()), _COUNTS)),
    ("awkward-records", lambda: ak.zip({"x": np.ones(1 << 17), "y": np.arange(1 << 17)})),
]
