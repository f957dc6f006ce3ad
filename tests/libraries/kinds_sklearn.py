"""Estimators of scikit-learn for the tests of moves."""

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.neighbors import KNeighborsRegressor

_RNG = np.random.default_rng(1)
_X, _Y = _RNG.random((30_000, 4)), _RNG.random(30_000)

KINDS = [
    ("sklearn-forest", lambda: RandomForestRegressor(2, random_state=1).fit(_X, _Y)),
    ("sklearn-neighbours", lambda: KNeighborsRegressor(algorithm="ball_tree").fit(_X, _Y)),
]
