"""What the machine `devices` adds: devices near three nodes, and a table of performance (HMAT)."""

# Behind a bridge of its own near each of these nodes, on the bus of this number.
_DEVICES = (
    (0, 64, "virtio-net-pci,netdev=net0"),
    (1, 96, "nvme,drive=disk0,serial=movepages"),
    (3, 128, "virtio-net-pci,netdev=net1"),
)
_BACKENDS = (
    "-netdev hubport,id=net0,hubid=0",
    "-netdev hubport,id=net1,hubid=0",
    "-blockdev null-co,node-name=disk0,size=67108864,read-zeroes=on",
)

# QEMU writes the table only if each node without a CPU names the one that is nearest to it.
INITIATOR = {2: 0, 3: 1}
# From each node with a CPU to each node: latency in ns, bandwidth in GiB/s. The memory of node 3 is
# nearer to node 1, and by the distances it is as near to node 0.
_PERFORMANCE = {
    (0, 0): (80, 200),
    (0, 1): (140, 100),
    (0, 2): (250, 50),
    (0, 3): (500, 20),
    (1, 0): (140, 100),
    (1, 1): (80, 200),
    (1, 2): (350, 40),
    (1, 3): (400, 25),
}


def qemu_options() -> str:
    """Return QEMU's options for the devices and the table."""
    words = ["-machine hmat=on", *_BACKENDS]
    for number, (node, bus, device) in enumerate(_DEVICES):
        words += [
            f"-device pxb-pcie,id=bridge{number},bus=pcie.0,bus_nr={bus},numa_node={node}",
            f"-device pcie-root-port,id=port{number},bus=bridge{number},chassis={number + 1}",
            f"-device {device},bus=port{number}",
        ]
    for (initiator, target), (latency, bandwidth) in _PERFORMANCE.items():
        about = f"-numa hmat-lb,initiator={initiator},target={target},hierarchy=memory"
        words += [
            f"{about},data-type=access-latency,latency={latency}",
            f"{about},data-type=access-bandwidth,bandwidth={bandwidth}G",
        ]
    return " ".join(words)
