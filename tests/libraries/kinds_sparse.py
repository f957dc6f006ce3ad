"""Sparse arrays and matrices of scipy for the tests of moves."""

import numpy as np
from scipy import sparse

_DENSE = np.kron(np.eye(64), np.ones((64, 64)))

KINDS = [
    *(
        (f"sparse-{form}-{kind.__name__}", lambda form=form, kind=kind: kind(_DENSE).asformat(form))
        for form in ("csr", "csc", "coo", "bsr")
        for kind in (sparse.csr_array, sparse.csr_matrix)
    ),
    ("sparse-dia", lambda: sparse.dia_array((np.ones((3, 1 << 16)), [0, -1, 5]), (1 << 16,) * 2)),
]
