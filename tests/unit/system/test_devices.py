"""The devices in a topology, and the tables of them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import device_fixtures as fake
import movepages as mp
from movepages.system.devices import Device


def shown(sysfs):
    """Return the lines on devices at the end of the text."""
    lines = str(mp.topology(sysfs)).splitlines()
    return lines[next(k for k, line in enumerate(lines) if line.startswith("near ")) :]


def test_devices_of_a_dgx(tmp_path):
    devices = mp.topology(fake.dgx(tmp_path)).devices
    by_kind = {kind: [d for d in devices if d.kind == kind] for kind in {d.kind for d in devices}}
    assert {kind: len(found) for kind, found in by_kind.items()} == {
        "gpu": 8, "network": 8, "infiniband": 8, "block": 2
    }  # fmt: skip
    assert by_kind["gpu"][4] == Device("nvidia4", "gpu", 1, "0000:9d:00.0", "nvidia")
    assert [d.node for d in by_kind["block"]] == [0, 1]


def test_table_of_a_dgx(tmp_path):
    assert shown(fake.dgx(tmp_path)) == [
        "near  kind        devices",
        "   0  block       nvme0n1",
        "   0  gpu         nvidia0-3",
        "   0  infiniband  mlx5_0-3",
        "   0  network     ibp24s0, ibp64s0, ibp79s0, ibp94s0",
        "   1  block       nvme1n1",
        "   1  gpu         nvidia4-7",
        "   1  infiniband  mlx5_4-7",
        "   1  network     ibp154s0, ibp192s0, ibp206s0, ibp220s0",
    ]


def test_node_is_not_told(tmp_path):
    sysfs = fake.vm(tmp_path)
    assert [device.node for device in mp.topology(sysfs).devices] == [None, None]
    assert shown(sysfs)[1:] == ["   ?  block    nvme0n1", "   ?  network  eth0"]


def test_hundreds_of_virtual_functions_are_counted(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    for number in range(300):
        bus, slot = divmod(number, 32)
        address = f"0000:{0x80 + bus:02x}:{slot:02x}.1"
        function = fake.add_pci(sysfs, address, 2, "iavf", "0000:80:00.0")
        fake.add_name(sysfs, "net", f"vf{number}", function)
    for number in range(0, 100, 2):
        fake.add_name(
            sysfs, "net", f"port{number}", fake.add_pci(sysfs, f"0001:{number:02x}:00.0", 7)
        )
    devices = mp.topology(sysfs).devices
    assert len(devices) == 352
    assert next(d for d in devices if d.name == "vf17").physical_function == "0000:80:00.0"
    lines = shown(sysfs)
    assert lines[1] == "   2  network  eth0, 300 virtual functions"
    assert "and 35 others" in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 80
    assert len(lines) < 8


def test_names_control_neither_terminal_nor_page(tmp_path):
    sysfs = fake.sub_numa(tmp_path)
    for number, name in enumerate(("a\x1b[31mb", "<script>", "n\xc3\xa9", "x\udcff")):
        fake.add_name(sysfs, "net", name, fake.add_pci(sysfs, f"0000:f{number}:00.0", 1, "<b>"))
    machine = mp.topology(sysfs)
    text, page = str(machine), machine._repr_html_()
    assert "\x1b" not in text + page
    assert "a\\x1b[31mb" in text
    assert "x\\udcff" in text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    json.loads(json.dumps(machine.as_dict()))
    assert mp.near("a\x1b[31mb", sysfs=sysfs).node == 1
    assert "\x1b" not in str(mp.near("a\x1b[31mb", sysfs=sysfs))


@pytest.mark.parametrize("gone", ["class/net", "class", "bus/pci", "block", "devices/pci0000:00"])
def test_what_is_hidden_is_left_out(tmp_path, gone):
    sysfs = fake.dgx(tmp_path)
    before = {(device.kind, device.pci) for device in mp.topology(sysfs).devices}
    shutil.rmtree(sysfs / gone)
    after = {(device.kind, device.pci) for device in mp.topology(sysfs).devices}
    # Without their PCI addresses, GPUs of NVIDIA still have names in DRM.
    assert after == before if gone == "bus/pci" else after < before


def test_malformed_node_is_left_out_and_named_when_asked(tmp_path):
    sysfs = fake.dgx(tmp_path)
    path = sysfs.resolve() / "class/net/ibp24s0"
    file = path.resolve().parents[1] / "numa_node"
    file.write_text("zero\n")
    assert "ibp24s0" not in {device.name for device in mp.topology(sysfs).devices}
    with pytest.raises(mp.TopologyError, match="expected one number, found 'zero"):
        mp.near("ibp24s0", sysfs=sysfs)


def test_devices_are_data(tmp_path):
    machine = mp.topology(fake.dgx(tmp_path))
    assert hash(machine) == hash(mp.topology(tmp_path / "sys"))
    assert machine.as_dict()["devices"][0] == {
        "name": "nvme0n1", "kind": "block", "node": 0, "pci": "0000:29:00.0", "driver": "nvme",
        "physical_function": "",
    }  # fmt: skip
    assert replace(machine, devices=()).devices == ()


def test_page_shows_devices(tmp_path):
    page = mp.topology(fake.dgx(tmp_path))._repr_html_()
    assert "nvidia0-3" in page
    assert "<th" in page
