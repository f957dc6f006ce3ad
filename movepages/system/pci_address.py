"""Addresses of PCI functions."""

from __future__ import annotations

import re


def pci_address(text: str) -> str:
    """Return a PCI address as sysfs writes it; the domain is 0 by default.

    Raises
    ------
    ValueError
        This is no PCI address.

    Examples
    --------
    >>> pci_address("3B:00.0"), pci_address("00000000:3B:00.0")
    ('0000:3b:00.0', '0000:3b:00.0')
    """
    found = re.fullmatch(
        r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", text, re.IGNORECASE
    )
    if found is None:
        raise ValueError(f"expected a PCI address such as 0000:3b:00.0, got {text!r}")
    domain, bus, slot = (int(each or "0", 16) for each in found.groups()[:3])
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{found[4]}"
