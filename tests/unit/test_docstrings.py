"""The examples in the docstrings run as shown, and every public name has one."""

import doctest
import errno
import importlib
import inspect
import mmap
import os
import re
from pathlib import Path

import numpy as np
import pytest

import movepages as mp
from support import system

PACKAGE = Path(mp.__file__).parent
# tests/integration runs those of the extras.
OF_EXTRAS = {"movepages.dask", "movepages.mpi"}


def modules_with_examples():
    files = (each for each in sorted(PACKAGE.rglob("*.py")) if ">>>" in each.read_text())
    parts = (each.relative_to(PACKAGE.parent).with_suffix("").parts for each in files)
    names = (".".join(each).removesuffix(".__init__") for each in parts)
    return [name for name in names if name not in OF_EXTRAS]


@pytest.fixture
def _freed_memory_has_no_pages():
    """Have the C library give back what earlier tests have freed.

    Its pages may be on any node, and would be used again where an example expects new ones.
    """
    # musl has no such function.
    getattr(system.libc, "malloc_trim", id)(0)


@pytest.mark.parametrize("name", modules_with_examples())
@pytest.mark.usefixtures("little_bandwidth", "_freed_memory_has_no_pages")
def test_examples(name):
    public = {each: getattr(mp, each) for each in mp.__all__}
    names = {**public, "np": np, "mp": mp, "errno": errno, "os": os, "mmap": mmap}
    result = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert result.failed == 0


def test_every_public_function_and_class_is_documented_with_an_example():
    for name in mp.__all__:
        thing = getattr(mp, name)
        if inspect.isfunction(thing) or name in ("PageStatus", "MovePagesError", "MoveResult"):
            assert ">>>" in inspect.getdoc(thing), name
        elif inspect.isclass(thing):
            assert inspect.getdoc(thing), name


def sections(text):
    """Return the text of each section of a docstring, by title."""
    parts = re.split(r"^(\w+)\n-+\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", [n for n in mp.__all__ if inspect.isfunction(getattr(mp, n))])
def test_docstring_lists_parameters_returns_and_raises(name):
    function = getattr(mp, name)
    found, signature = sections(inspect.getdoc(function)), inspect.signature(function)
    told = re.findall(
        r"^(\*{0,2}\w+(?:, \w+)*)(?: : |$)", found.get("Parameters", ""), re.MULTILINE
    )
    assert [each.lstrip("*") for each in told] == list(signature.parameters)
    # A context manager has no return value.
    returns = signature.return_annotation not in ("None", "Iterator[None]")
    assert ("Returns" in found) == returns
    assert "Raises" in found or not signature.parameters


def test_public_names_exist_and_are_listed_once():
    assert all(hasattr(mp, name) for name in mp.__all__)
    assert sorted(mp.__all__) == sorted(set(mp.__all__))
