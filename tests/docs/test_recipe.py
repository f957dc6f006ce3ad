"""The recipe for conda-forge asks for what pyproject.toml asks for."""

import sys
import tomllib
from pathlib import Path

import pytest

import movepages

yaml = pytest.importorskip("yaml", reason="needs PyYAML, which the extra docs has")

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "packaging" / "conda-forge"

pytestmark = pytest.mark.host


@pytest.fixture
def recipe():
    return yaml.safe_load((FOLDER / "recipe.yaml").read_text())


@pytest.fixture
def disagreements(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    import try_recipe

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return lambda recipe: try_recipe.disagreements(recipe, project)


def test_it_agrees(recipe, disagreements):
    assert disagreements(recipe) == []
    assert recipe["context"]["version"] == movepages.__version__


@pytest.mark.parametrize("part", ["host", "run"])
def test_another_requirement_is_found(recipe, disagreements, part):
    recipe["requirements"][part][-1] += ".1"
    (found,) = disagreements(recipe)
    assert found.startswith(f"{part}: ")
