"""Fixtures that describe this machine, and skip tests for which it lacks something."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from movepages import _core
from support import enums, memory, system
from support import nodes as machine

CAP_SYS_NICE = 23
CAMPAIGN_CALLS, WALK_CALLS = 700, 100

# Report the compared values of assertions in these helper modules, too.
pytest.register_assert_rewrite("cli_fixtures", "damage", "interruptions", "footprint_fixtures")


# A guest runs many times slower than its host.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options that set the length and the seed of the randomised tests."""
    group = parser.getgroup("movepages")
    group.addoption(
        "--campaign-calls", type=int, help=f"calls (campaign: {CAMPAIGN_CALLS}, walk: {WALK_CALLS})"
    )
    group.addoption("--campaign-seed", type=int, default=0, help="seed (%(default)s)")
    group.addoption("--storm-runs", type=int, default=60, help="runs per storm (%(default)s)")
    group.addoption(
        "--interruptions", type=int, default=1000, help="signals per block (%(default)s)"
    )
    group.addoption(
        "--signal-seconds", type=float, default=0.4, help="seconds per call (%(default)s)"
    )
    group.addoption(
        "--advice-variants", type=int, default=6, help="memories of each kind (%(default)s)"
    )
    group.addoption("--every-library", action="store_true", help="move objects of each library")
    group.addoption(
        "--damaged-files", type=int, default=300, help="files of each kind (%(default)s)"
    )


@pytest.fixture(scope="session", autouse=True)
def _no_automatic_balancing() -> Iterator[None]:
    """Prevent automatic NUMA balancing from moving pages, or unmapping them to see who uses them.

    Balancing skips a thread that has a policy of its own. This policy places pages as the default
    does; children and threads inherit it.
    """
    with contextlib.suppress(OSError):  # A kernel without policies has no balancing.
        system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_LOCAL, None, 0)
    yield
    with contextlib.suppress(OSError):
        system.syscall(system.SYS_SET_MEMPOLICY, system.MPOL_DEFAULT, None, 0)


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep bandwidths that were measured apart from those of the user, which change advice."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def _nothing_measured(_own_cache_folder: None) -> None:
    """Forget what an earlier test has measured."""
    kept = sys.modules.get("movepages.results.kept_bandwidth")
    if kept is not None:
        kept._measured_here.clear()
        folder = Path(os.environ["XDG_CACHE_HOME"], "movepages")
        for file in folder.glob("bandwidth-*.json"):
            file.unlink()


@pytest.fixture(scope="session")
def _asked_by_numpy() -> Iterator[list[str]]:
    with enums.seen_by_numpy() as found:
        yield found


@pytest.fixture(autouse=True)
def _no_enumeration_reaches_numpy(_asked_by_numpy: list[str]) -> Iterator[None]:
    """Fail a test if the package passes an enum member to numpy, which can lose a Ctrl-C."""
    del _asked_by_numpy[:]
    yield
    assert not _asked_by_numpy, "pass numpy the .value of these members"


def _need(count: int, nodes: tuple[int, ...]) -> tuple[int, ...]:
    if len(nodes) < count:
        there = ", ".join(map(str, nodes)) or "none"
        pytest.skip(f"needs {count} NUMA nodes with memory, this process may use: {there}")
    return nodes[:count]


@pytest.fixture(scope="session")
def nodes() -> tuple[int, ...]:
    """Return every node with memory that this process may use, at least one."""
    found = machine.allowed()
    _need(1, found)
    return found


@pytest.fixture(scope="session")
def two_nodes(nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Return two nodes to move pages between."""
    return _need(2, nodes)


@pytest.fixture(scope="session")
def four_nodes(nodes: tuple[int, ...]) -> tuple[int, ...]:
    """Return four nodes."""
    return _need(4, nodes)


@pytest.fixture(scope="session")
def memory_only_node(two_nodes: tuple[int, ...], nodes: tuple[int, ...]) -> int:
    """Return a node with memory but no CPU, such as CXL memory."""
    with_cpu = machine.listed("has_cpu")
    found = next((node for node in nodes if node not in with_cpu), None)
    if found is None:
        pytest.skip(f"needs a node with memory and no CPU, each of {nodes} has a CPU")
    return found


@pytest.fixture(scope="session")
def page_size() -> int:
    """Return the size of a small page."""
    return memory.PAGE


@pytest.fixture(scope="session")
def huge_page_size() -> int:
    """Return the size of a transparent huge page."""
    size = memory.huge_page_size()
    if not size:
        pytest.skip("needs transparent huge pages, this kernel gives none to a process")
    return size


@pytest.fixture(scope="session")
def need_root() -> None:
    """Skip unless root has CAP_SYS_NICE, which MPOL_MF_MOVE_ALL and a change of uid need."""
    if os.geteuid() != 0:
        pytest.skip(f"needs root, runs as uid {os.geteuid()}")
    words = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    if not int(words["CapEff"], 16) >> CAP_SYS_NICE & 1:
        pytest.skip("needs CAP_SYS_NICE, which this root does not have")


@pytest.fixture
def own_pid_as_another(monkeypatch: pytest.MonkeyPatch) -> int:
    """Return this process's pid, while the package takes it for another process's."""
    monkeypatch.setattr(_core, "is_own", lambda _pid: False)
    return os.getpid()


@pytest.fixture
def little_bandwidth(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have `measure_bandwidth` use little memory; return the file in which it keeps its figures."""
    kept = tmp_path / "cache" / "bandwidth.json"
    monkeypatch.setattr("movepages.memory.bandwidth_places._MOST_BYTES", 4 << 20)
    monkeypatch.setattr("movepages.results.kept_bandwidth.kept_file", lambda _key: kept)
    monkeypatch.setattr("movepages.cli.bench_matrix.kept_file", lambda _key: kept)
    return kept


@pytest.fixture
def campaign(pytestconfig: pytest.Config) -> tuple[int, int]:
    """Return the number of calls that the campaign makes, and its seed."""
    return _calls(pytestconfig, CAMPAIGN_CALLS)


@pytest.fixture
def walk_length(pytestconfig: pytest.Config) -> tuple[int, int]:
    """Return the number of calls that the walk over all operations makes, and its seed."""
    return _calls(pytestconfig, WALK_CALLS)


def _calls(config: pytest.Config, usual: int) -> tuple[int, int]:
    calls = config.getoption("campaign_calls")
    return usual if calls is None else calls, config.getoption("campaign_seed")


@pytest.fixture
def interruptions(pytestconfig: pytest.Config) -> int:
    """Return the number of signals sent to each block of code that must undo its changes."""
    return pytestconfig.getoption("interruptions")


@pytest.fixture
def storm(pytestconfig: pytest.Config) -> tuple[int, int]:
    """Return the number of runs in a storm, and the seed of the first."""
    return pytestconfig.getoption("storm_runs"), pytestconfig.getoption("campaign_seed")
