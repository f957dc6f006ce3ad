"""Runs these tests last: libraries start threads, and other tests fork."""

from pathlib import Path

import pytest


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Import no library inside a guest, where that takes minutes."""
    return True if "not host" in (config.option.markexpr or "") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of this folder to the end, and those of jax, whose threads warn of forks."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: (folder in item.path.parents, item.path.stem == "test_jax"))
