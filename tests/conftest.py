"""What the machine at hand has for tests, and why a test that needs more is skipped."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from movepages import _core
from support import enums, memory, system
from support import nodes as machine

CAP_SYS_NICE = 23
CAMPAIGN_CALLS, WALK_CALLS = 2000, 100

# Their assertions, too, say what was compared.
pytest.register_assert_rewrite("cli_fixtures", "damage", "interruptions", "footprint_fixtures")


# A guest takes many times as long as the machine it runs on.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the randomised tests be longer, or others, than they are."""
    group = parser.getgroup("movepages")
    group.addoption(
        "--campaign-calls", type=int, help=f"calls ({CAMPAIGN_CALLS}; of the walk {WALK_CALLS})"
    )
    group.addoption("--campaign-seed", type=int, default=0, help="seed (%(default)s)")
    group.addoption("--storm-runs", type=int, default=60, help="runs a storm (%(default)s)")
    group.addoption("--interruptions", type=int, default=1000, help="signals (%(default)s)")
    group.addoption("--signal-seconds", type=float, default=0.4, help="a call (%(default)s)")
    group.addoption("--damaged-files", type=int, default=300, help="of each kind (%(default)s)")


@pytest.fixture(scope="session", autouse=True)
def _no_automatic_balancing() -> Iterator[None]:
    """Keep the kernel from moving pages by itself, and from unmapping them to see who uses them.

    A thread with a policy of its own is left alone by automatic NUMA balancing. This policy places
    pages as having none does; children and threads inherit it.
    """
    with contextlib.suppress(OSError):  # Without memory policies there is no balancing either.
        system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_LOCAL, None, 0)
    yield
    with contextlib.suppress(OSError):
        system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_DEFAULT, None, 0)


@pytest.fixture(scope="session")
def _asked_by_numpy() -> Iterator[list[str]]:
    with enums.seen_by_numpy() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_enumeration_reaches_numpy(_asked_by_numpy: list[str]) -> Iterator[None]:
    """Let no test make the package hand numpy what may lose a Ctrl-C."""
    del _asked_by_numpy[:]
    yield
    assert not _asked_by_numpy, "hand numpy the .value of it"


def _need(count: int, nodes: tuple[int, ...]) -> tuple[int, ...]:
    if len(nodes) < count:
        there = ", ".join(map(str, nodes)) or "none"
        pytest.skip(f"needs {count} NUMA nodes with memory, this process may use: {there}")
    return nodes[:count]


@pytest.fixture(scope="session")
def nodes() -> tuple[int, ...]:
    """Every node with memory that this process may use, one at least."""
    found = machine.allowed()
    _need(1, found)
    return found


@pytest.fixture(scope="session")
def two_nodes(nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Two nodes to move pages between."""
    return _need(2, nodes)


@pytest.fixture(scope="session")
def four_nodes(nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Four nodes."""
    return _need(4, nodes)


@pytest.fixture(scope="session")
def memory_only_node(two_nodes: tuple[int, ...], nodes: tuple[int, ...]) -> int:
    """A node without a CPU, as CXL memory is one."""
    with_cpu = machine.listed("has_cpu")
    found = next((node for node in nodes if node not in with_cpu), None)
    if found is None:
        pytest.skip(f"needs a node with memory and no CPU, each of {nodes} has a CPU")
    return found


@pytest.fixture(scope="session")
def page_size() -> int:
    """Size of a small page."""
    return memory.PAGE


@pytest.fixture(scope="session")
def huge_page_size() -> int:
    """Size of a transparent huge page."""
    size = memory.huge_page_size()
    if not size:
        pytest.skip("needs transparent huge pages, this kernel gives none to a process")
    return size


@pytest.fixture(scope="session")
def need_root() -> None:
    """Skip what needs root with CAP_SYS_NICE, as MPOL_MF_MOVE_ALL and another uid do."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root, runs as uid {os.geteuid()}")
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    if not int(words["CapEff"], 16) >> CAP_SYS_NICE & 1:
        pytest.skip("needs CAP_SYS_NICE, which this root does not have")


@pytest.fixture
def own_pid_as_another(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the number of this process, which is taken for that of another one."""
    monkeypatch.setattr(_core, "is_own", lambda _pid: False)
    return os.getpid()


@pytest.fixture
def campaign(pytestconfig: pytest.Config) -> tuple[int, int]:
    """How many calls the campaign makes, and its seed."""
    return _calls(pytestconfig, CAMPAIGN_CALLS)


@pytest.fixture
def walk_length(pytestconfig: pytest.Config) -> tuple[int, int]:
    """How many calls the walk over all operations makes, and its seed."""
    return _calls(pytestconfig, WALK_CALLS)


def _calls(config: pytest.Config, usual: int) -> tuple[int, int]:
    calls = config.getoption("campaign_calls")
    return usual if calls is None else calls, config.getoption("campaign_seed")


@pytest.fixture
def interruptions(pytestconfig: pytest.Config) -> int:
    """How many signals are fired at each block of code that has to undo what it does."""
    return pytestconfig.getoption("interruptions")


@pytest.fixture
def storm(pytestconfig: pytest.Config) -> tuple[int, int]:
    """How many runs a storm has, and the seed of the first."""
    return pytestconfig.getoption("storm_runs"), pytestconfig.getoption("campaign_seed")
