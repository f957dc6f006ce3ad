"""What the fixture `placement` returns: it moves memory, and checks that it stays."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest

import movepages as mp

_T = TypeVar("_T")


class _Placed(NamedTuple):
    thing: Any
    wanted: str
    found: mp.Placement


class Placing:
    """Moves memory for a test; see `movepages.pytest_plugin.placement`."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._placed: list[_Placed] = []

    def __call__(self, a: _T, target: Any, **how: Any) -> _T:
        """Move memory to a node or by a layout, and fail the test unless all of it is there.

        Parameters
        ----------
        a, target, **how
            As for `movepages.move`.

        Returns
        -------
        object
            `a` itself.
        """
        __tracebackhide__ = True
        wanted = f"{type(a).__name__} {_named(target)}"
        try:
            with warnings.catch_warnings():
                # The result says the same.
                warnings.simplefilter("ignore", mp.LayoutWarning)
                result = mp.move(a, target, **how)  # type: ignore[call-overload]
        except mp.MovePagesError as error:
            if error.errno == errno.ENODEV:
                pytest.skip(f"{wanted}: {error.strerror}")
            pytest.fail(f"{wanted}: {error.strerror} ({error.result})")
        if not result.ok:
            pytest.fail(f"{wanted}: {result}")
        placed = _Placed(a, wanted, _found(a))
        self._placed.append(placed)
        self._store(placed)
        return a

    @contextmanager
    def checked_at_the_end(self) -> Iterator[None]:
        """Within the block, check what was placed when the test function has returned."""
        # A failure after the `yield` of a fixture would be an error of the teardown.
        plugin, manager = _AfterTest(self), self._request.config.pluginmanager
        manager.register(plugin)
        try:
            yield
        finally:
            manager.unregister(plugin)

    def check(self) -> None:
        """Fail the test unless all memory is still where it was placed."""
        __tracebackhide__ = True
        for thing, wanted, before in self._placed:
            after = _found(thing)
            if after == before:
                continue
            if after.pages == before.pages and np.array_equal(after.addresses, before.addresses):
                pages = int(np.count_nonzero(after.status != before.status))
                what = f"{pages:,} of {before.pages:,} pages did not stay during the test"
            else:
                what = "it has other memory than at the beginning of the test"
            pytest.fail(f"{wanted}: {what}. Then: {before}. Now: {after}", pytrace=False)

    def _store(self, placed: _Placed) -> None:
        if "benchmark" not in self._request.fixturenames:
            return
        # Other plug-ins have a fixture of this name, too.
        extra = getattr(self._request.getfixturevalue("benchmark"), "extra_info", None)
        if isinstance(extra, dict):
            told = {"wanted": placed.wanted, **placed.found.as_dict()}
            extra.setdefault("placement", []).append(told)


class _AfterTest:
    def __init__(self, placing: Placing) -> None:
        self._placing = placing

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, None]:
        outcome = yield
        if outcome.excinfo is None:
            try:
                self._placing.check()
            except BaseException as error:
                outcome.force_exception(error)


def _found(thing: Any) -> mp.Placement:
    found = mp.where(thing)
    return found.total if isinstance(found, mp.Placements) else found


def _named(target: Any) -> str:
    return f"on node {target}" if isinstance(target, (int, np.integer)) else f"by {target!r}"
