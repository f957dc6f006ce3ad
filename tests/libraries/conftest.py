"""Runs these tests last: libraries start threads, and other tests fork."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move the tests of this folder to the end."""
    folder = Path(__file__).parent
    items.sort(key=lambda item: folder in item.path.parents)
