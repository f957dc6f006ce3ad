"""Which GPU CUDA means by a number, told by the environment, NVML, torch and /proc."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

import device_fixtures as fake
import movepages as mp
from movepages.system.cuda import cuda_addresses
from movepages.system.pci_address import pci_address
from movepages.system.sysfs import TopologyError

# The same on every kernel.
pytestmark = pytest.mark.host

UUIDS = ("GPU-aa11", "GPU-aa22", "GPU-bb33", "GPU-cc44")
ADDRESSES = ("0000:1b:00.0", "0000:43:00.0", "0000:9d:00.0", "0000:c3:00.0")


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """Return a procfs with four GPUs, in a process that nothing tells which it may use."""
    for name in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"):
        monkeypatch.delenv(name, raising=False)
    for minor, (uuid, address) in enumerate(zip(UUIDS, ADDRESSES, strict=True)):
        # The driver numbers its files in the order in which it found the cards.
        fake.add_nvidia(tmp_path / "proc", address, 3 - minor, uuid)
    return tmp_path / "proc"


def seen(proc, *, ask=False):
    found = []
    for index in range(9):
        try:
            found.append(cuda_addresses(index, proc, ask=ask))
        except ValueError:
            break
    return [ADDRESSES.index(address) for [address] in found]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, [0, 1, 2, 3]),
        ("2,0", [2, 0]),
        (" 3 , 1", [3, 1]),
        ("GPU-cc44,GPU-aa11", [3, 0]),
        ("GPU-b", [2]),
        # CUDA 13 took or refused such values on a machine with one GPU.
        ("gpu-bb33", []),
        ("bb33", []),
        ("GPU-", []),
        ("GPU", []),
        ("GPU-bb33,1", [2]),
        ("1,GPU-bb33", [1]),
        ("2,2", []),
        ("0,1,0", []),
        ("GPU-bb33,GPU-bb", []),
        ("+2,03", [2, 3]),
        ("2abc,0x1", [2, 0]),
        ("GPU-bb33,none", [2]),
        ("1,-1,2", [1]),
        ("1,7,2", [1]),
        ("0,none", [0]),
        ("GPU-aa", []),  # of two GPUs
        ("", []),
        ("-1", []),
        ("MIG-GPU-bb33/7/0", [2]),
    ],
)
def test_visible_devices(proc, monkeypatch, visible, expected):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert seen(proc) == expected


def test_number_beyond_the_visible(proc, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,\x1b")
    told = r"no cuda:1: this process sees 1 of 4 GPUs \(CUDA_VISIBLE_DEVICES='2,\\x1b'\)"
    with pytest.raises(ValueError, match=told):
        cuda_addresses(1, proc, ask=False)


def test_fastest_first_is_known_to_cuda_alone(proc, monkeypatch):
    fake.add_nvidia(proc, "0000:d1:00.0", 4, "GPU-dd55", "NVIDIA T4")
    assert len(cuda_addresses(0, proc, ask=False)) == 5
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-cc44")
    assert cuda_addresses(0, proc, ask=False) == [ADDRESSES[3]]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4")
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert cuda_addresses(0, proc, ask=False) == ["0000:d1:00.0"]


def test_unknown_order_does_not_matter_near_one_node(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    sysfs = fake.sub_numa(tmp_path)
    for minor, (address, model) in enumerate((("0000:05:00.0", "T4"), ("0000:06:00.0", "H100"))):
        fake.add_pci(sysfs, address, 3)
        fake.add_nvidia(tmp_path / "proc", address, minor, f"GPU-{minor}", model)
    found = mp.near("cuda:0", sysfs=sysfs)
    assert (found.node, found.device.pci) == (3, "")
    fake.add_pci(sysfs, "0000:07:00.0", 5)
    fake.add_nvidia(tmp_path / "proc", "0000:07:00.0", 2, "GPU-2", "A100")
    with pytest.raises(ValueError, match=r"'cuda:0' is not near one node.*CUDA_DEVICE_ORDER"):
        mp.near("cuda:0", sysfs=sysfs)


def test_without_a_driver(tmp_path):
    with pytest.raises(TopologyError, match="nothing shows which GPU cuda:0 is"):
        cuda_addresses(0, tmp_path, ask=False)


class Nvml:
    """The part of pynvml that is used, with the same four GPUs and one part of the third."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, works=True):
        self.works, self.started = works, 0

    def nvmlInit(self):  # noqa: N802
        if not self.works:
            raise self.NVMLError
        self.started += 1

    def nvmlShutdown(self):  # noqa: N802
        self.started -= 1

    def nvmlDeviceGetCount(self):  # noqa: N802
        return 4

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return index

    def nvmlDeviceGetPciInfo(self, handle):  # noqa: N802
        return SimpleNamespace(busId=f"0000{ADDRESSES[handle].upper()}".encode())

    def nvmlDeviceGetUUID(self, handle):  # noqa: N802
        return UUIDS[handle]

    def nvmlDeviceGetName(self, _handle):  # noqa: N802
        return b"NVIDIA H100"

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802
        if uuid != "MIG-1234":
            raise self.NVMLError
        return 100

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle):  # noqa: N802
        assert handle == 100
        return 2


@pytest.mark.parametrize(
    ("visible", "expected"), [("GPU-cc44,GPU-aa22", [3, 1]), ("MIG-1234", [2]), ("MIG-9", [])]
)
def test_nvml_is_asked(tmp_path, proc, monkeypatch, visible, expected):
    nvml = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert seen(tmp_path / "nowhere", ask=True) == expected
    assert nvml.started == 0


@pytest.mark.parametrize("module", [None, Nvml(works=False)])
def test_nvml_that_is_missing_or_finds_no_driver(proc, monkeypatch, module):
    monkeypatch.setitem(sys.modules, "pynvml", module)
    assert seen(proc, ask=True) == [0, 1, 2, 3]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1234")
    with pytest.raises(TopologyError, match="names 'MIG-1234', and only NVML knows"):
        cuda_addresses(0, proc, ask=True)


def test_torch_is_asked_only_if_it_uses_cuda(proc, monkeypatch):
    told = SimpleNamespace(pci_domain_id=0, pci_bus_id=0x9D, pci_device_id=0)
    cuda = SimpleNamespace(
        is_initialized=lambda: False, device_count=lambda: 1, get_device_properties=lambda _: told
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert cuda_addresses(0, proc, ask=True) == [ADDRESSES[0]]
    cuda.is_initialized = lambda: True
    assert cuda_addresses(0, proc, ask=True) == [ADDRESSES[2]]
    assert cuda_addresses(0, proc, ask=False) == [ADDRESSES[0]]
    # Older versions of torch do not tell the address.
    del told.pci_domain_id
    assert cuda_addresses(0, proc, ask=True) == [ADDRESSES[0]]


@pytest.mark.parametrize("text", ["", "3b:00", "3b:00.8", "0000:3b:00.0x", "123456789:3b:00.0"])
def test_no_pci_address(text):
    with pytest.raises(ValueError, match="expected a PCI address"):
        pci_address(text)
