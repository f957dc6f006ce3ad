"""What holds for every test that moves pages."""

from collections.abc import Iterator

import pytest

from support import system


@pytest.fixture(scope="session", autouse=True)
def no_automatic_balancing() -> Iterator[None]:
    """Keep the kernel from moving pages by itself, and from unmapping them to see who uses them.

    A thread with a policy of its own is left alone by automatic NUMA balancing. This policy places
    pages as having none does; children and threads inherit it.
    """
    try:
        _set_policy(system.MPOL_LOCAL)
    except OSError as error:
        pytest.skip(f"needs memory policies: set_mempolicy(2) says {error.strerror}")
    yield
    _set_policy(system.MPOL_DEFAULT)


def _set_policy(policy: int) -> None:
    system.syscall(system.SYS_SET_MEMPOLICY, policy, None, 0)
