"""Carry out recipe.yaml without conda: its build and its tests, with what it asks for and no more.

python packaging/conda-forge/try_recipe.py SDIST

The packages come by pip into a new virtual environment, the compiler is that of the system. It
needs PyYAML, as the documentation does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from pathlib import Path
from typing import Any

import yaml

RECIPE = Path(__file__).with_name("recipe.yaml")
FROM_ELSEWHERE = {"python"}


def packages(required: list[str]) -> list[str]:
    """Return requirements as pip writes them, without what a virtual environment has."""
    return [each.replace(" ", "") for each in required if each.split()[0] not in FROM_ELSEWHERE]


def disagreements(recipe: dict[str, Any], project: dict[str, Any]) -> list[str]:
    """Name what the recipe says otherwise than the pyproject.toml of the sdist."""
    needs, about = recipe["requirements"], recipe["about"]
    entry_points = [f"{name} = {to}" for name, to in project["project"]["scripts"].items()]
    pairs = {
        "host": (set(packages(needs["host"])) - {"pip"}, set(project["build-system"]["requires"])),
        "run": (packages(needs["run"]), project["project"]["dependencies"]),
        "summary": (about["summary"], project["project"]["description"]),
        "license": (about["license"], project["project"]["license"]),
        "entry points": (recipe["build"]["python"]["entry_points"], entry_points),
    }
    return [
        f"{what}: {ours} is not {theirs}"
        for what, (ours, theirs) in pairs.items()
        if ours != theirs
    ]


def carry_out(recipe: dict[str, Any], sdist: str, work: Path) -> None:
    """Build the sdist in a new environment and run the tests that the recipe names."""
    with tarfile.open(sdist) as archive:
        archive.extractall(work, filter="data")
    (tree,) = work.iterdir()
    version = recipe["context"]["version"]
    if tree.name != f"movepages-{version}":
        raise SystemExit(f"{sdist}: expected version {version}; change the version of the recipe")
    if found := disagreements(recipe, tomllib.loads((tree / "pyproject.toml").read_text())):
        raise SystemExit("\n".join(["recipe.yaml disagrees with pyproject.toml:", *found]))
    environment = work / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    left_out = {"MOVEPAGES_DEV", "PYTHONPATH", "VIRTUAL_ENV"}
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    variables |= {"PATH": f"{python.parent}:{os.environ['PATH']}", "PYTHON": str(python)}

    def run(command: str, folder: Path = work) -> None:
        print(f"$ {command}", flush=True)
        subprocess.run(command, shell=True, check=True, cwd=folder, env=variables)

    def install(required: list[str]) -> None:
        run("pip install --quiet " + " ".join(f"'{each}'" for each in packages(required)))

    install(recipe["requirements"]["host"])
    run(recipe["build"]["script"].replace("${{ PYTHON }}", "$PYTHON") + " --quiet", tree)
    install(recipe["requirements"]["run"])
    for test in recipe["tests"]:
        for module in test.get("python", {}).get("imports", ()):
            run(f"python -c 'import {module}'")
        if test.get("python", {}).get("pip_check"):
            run("pip check")
        for command in test.get("script", ()):
            run(command)


def main(sdist: str) -> None:
    """Carry out the recipe for an sdist."""
    recipe = yaml.safe_load(RECIPE.read_text())
    with tempfile.TemporaryDirectory() as folder:
        carry_out(recipe, os.path.abspath(sdist), Path(folder))
    print("the recipe builds this sdist, and its tests pass")


if __name__ == "__main__":
    main(*sys.argv[1:])
