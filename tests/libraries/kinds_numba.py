"""Lists of numba for the tests of moves."""

import numpy as np
from numba.typed import List


def _list():
    arrays = List()
    for value in range(3):
        arrays.append(np.full(1 << 17, value))
    return arrays


KINDS = [("numba-list", _list)]
