"""A clock that only sleeps move, so that a machine that stops for a while decides no test."""

from types import SimpleNamespace

import pytest


class Clock:
    """Time in seconds, and the sleeps that made it pass."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.sleeps.append(seconds)
        self.now += seconds


def clock_of(monkeypatch: pytest.MonkeyPatch, module: str) -> Clock:
    """Give a module a clock of its own in place of `time`."""
    clock = Clock()
    monkeypatch.setattr(
        f"{module}.time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep)
    )
    return clock
