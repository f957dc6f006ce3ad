"""where() of estimators of scikit-learn."""

import numpy as np
import pytest
from looks import at, by_name

import movepages as mp

pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils import Bunch

RNG = np.random.default_rng(1)
X, Y = RNG.random((500, 4)), RNG.random(500)


def test_fitted_arrays() -> None:
    model = LinearRegression().fit(X, Y)
    before = model.coef_.copy()
    found = by_name(model)
    assert found["coef_"] == at(model.coef_)
    assert (model.coef_ == before).all()


def test_the_arrays_of_a_tree() -> None:
    model = DecisionTreeRegressor().fit(X, Y)
    tree = model.tree_
    before = model.predict(X)
    found = by_name(model)
    assert list(found) == ["tree_.nodes", "tree_.value"]
    assert found["tree_.value"] == at(tree.value)
    first, nbytes = found["tree_.nodes"]
    assert nbytes == tree.node_count * tree.threshold.strides[0]
    for column in (tree.children_left, tree.threshold, tree.impurity, tree.n_node_samples):
        assert first <= column.ctypes.data < first + column.strides[0]
    assert (model.predict(X) == before).all()


def test_the_trees_of_a_forest() -> None:
    forest = RandomForestRegressor(3).fit(X, Y)
    found = by_name(forest)
    for index, each in enumerate(forest.estimators_):
        assert found[f"estimators_[{index}].tree_.value"] == at(each.tree_.value)


def test_the_trees_in_an_array_of_objects() -> None:
    forest = GradientBoostingRegressor(n_estimators=3).fit(X, Y)
    found = by_name(forest)
    assert at(forest.estimators_) in found.values()
    for each in forest.estimators_.flat:
        assert at(each.tree_.value) in found.values()


def test_objects_of_scikit_learn_that_are_no_estimators() -> None:
    forest = HistGradientBoostingRegressor(max_iter=2).fit(X, Y)
    found = by_name(forest)
    assert found["_predictors[1][0].nodes"] == at(forest._predictors[1][0].nodes)


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_tree_of_neighbours(algorithm, kind) -> None:
    model = KNeighborsRegressor(algorithm=algorithm).fit(X.astype(kind), Y)
    found = by_name(model)
    names = ("data", "idx_array", "node_data", "node_bounds")
    for name, array in zip(names, model._tree.get_arrays(), strict=True):
        assert found[f"_tree.{name}"] == at(np.asarray(array))
    assert found["_fit_X"] == at(model._fit_X)


def test_sparse_matrices() -> None:
    model = SVC().fit(X, Y > 0.5)
    assert by_name(model)["support_vectors_"] == at(model.support_vectors_)
    words = TfidfVectorizer().fit(["a few words", "few others"])
    assert by_name(words)["_tfidf.idf_"] == at(words.idf_)
    scipy_sparse = pytest.importorskip("scipy.sparse")
    model = SVC().fit(scipy_sparse.csr_array(X), Y > 0.5)
    assert by_name(model)["support_vectors_.data"] == at(model.support_vectors_.data)


def test_steps_of_a_pipeline() -> None:
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(X, Y)
    found = by_name(pipeline)
    assert found["steps[0][1].mean_"] == at(pipeline[0].mean_)
    assert found["steps[1][1].coef_"] == at(pipeline[1].coef_)


def test_mappings_of_scikit_learn() -> None:
    model = Pipeline([("scale", StandardScaler())])
    model.found_ = Bunch(importances=np.ones(10))
    assert by_name(model) == {"found_.importances": at(model.found_.importances)}


class Own(BaseEstimator):
    """An estimator with attributes of every kind."""

    def __init__(self) -> None:
        self.itself = self
        self.many = {"itself": self, "array": np.ones(10), "unknown": object(), "function": len}
        self.numbers = 1, 2.5, None, "a", np.float64(2), np.random.default_rng()
        self.buffer = bytearray(10)
        self.library = np
        self.kind = Own


def test_attributes_without_memory_are_left_out() -> None:
    own = Own()
    assert by_name(own)["many.array"] == at(own.many["array"])
    assert list(by_name({"model": own})) == ["model.many.array", "model.buffer"]


def test_an_attribute_that_is_refused_is_named() -> None:
    model = LinearRegression().fit(X, Y)
    model.table_ = np.ma.masked_array(np.ones(3)), memoryview(b"abc")
    assert "table_[0].data" in by_name(model)
    model.table_ = [np.ones(3), {"view": Refused()}]
    with pytest.raises(TypeError, match=r"^steps\[1\]\[1\]\.table_\[1\]\.view: it is elsewhere"):
        mp.where(make_pipeline(StandardScaler(), model))


class Refused:
    def __movepages_buffers__(self):
        raise TypeError("it is elsewhere")


def test_an_estimator_without_arrays_is_refused() -> None:
    with pytest.raises(TypeError, match="got a LinearRegression with no array"):
        mp.where(LinearRegression())
