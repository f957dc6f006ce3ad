"""Objects of narwhals with a mebibyte of memory or more, by kind."""

import narwhals as nw
import numpy as np
import pandas as pd

N = 1 << 18


def frame() -> nw.DataFrame:
    return nw.from_native(pd.DataFrame({"x": np.arange(N), "text": ["some", "text"] * (N // 2)}))


KINDS = [("frame", frame), ("column", lambda: frame()["x"])]
