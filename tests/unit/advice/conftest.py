"""Advice about memory of this machine, as if it had two sockets."""

import pytest

import movepages as mp
import movepages.advice.advise as advising
from advice_fixtures import RATE, machine
from movepages.advice import judge as judging
from movepages.advice import wishes_free
from movepages.advice.judge import Setting, judge
from movepages.advice.totals import totals_of
from movepages.advice.use import use_of
from movepages.advice.wishes import wish_for


@pytest.fixture(autouse=True)
def rate(monkeypatch):
    monkeypatch.setattr(judging, "rate_known", lambda _nbytes: RATE)
    monkeypatch.setattr(wishes_free, "count_cores", len)


@pytest.fixture
def ask(tmp_path):
    two = machine(tmp_path)

    def ask(subject, threads, access="parts", balancing=False, figures=None):
        use, totals = use_of(two, threads), totals_of([subject])
        return judge(subject, Setting(two, use, access, balancing, figures, totals))

    return ask


@pytest.fixture
def wish(tmp_path):
    """Ask for the layout alone, of memory that only is said to be somewhere."""
    two = machine(tmp_path)

    def wish(subject, threads, *others):
        totals = totals_of([subject, *others])
        return wish_for(two, subject, use_of(two, threads), "parts", totals)

    return wish


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Have advise() see a machine with two sockets; memory and threads stay real."""
    # What a test has not placed may be on any node of this machine.
    found = machine(tmp_path, last=max(2, *mp.topology().memory_nodes))
    monkeypatch.setattr(advising, "read_topology", lambda: found)
    monkeypatch.setattr(advising, "is_balancing", lambda: False)
    monkeypatch.setattr(judging, "rate_known", lambda _nbytes: 2.0**30)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return found
