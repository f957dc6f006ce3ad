"""Colours of nodes: the same in every picture, and distinct for colour-blind readers."""

from __future__ import annotations

# The first seven colours are Okabe and Ito's, ordered so that the first few differ most. Each later
# colour is the one farthest from all before it and from the greys below, for people with normal
# vision, protanopia, deuteranopia and tritanopia.
_PALETTE = (
    "0072b2e69f0056b4e9f0e442d55e00009e73cc79a75a0087784b4b1e00e1"
    "a569ffb42d870f4b00691e4b96b48796f0a5e10fd287d2ff780fb4006978"
    "a55a4bf0c35aff78d25a5a00781eff8796ff3c3c69a5d296f0783cff4b69"
    "a56996870f2db4003c5a3c876978d2c32db469ff7800a5b4d2b4693c00a5"
)
_DIGITS = 6

# Colours of absent memory: the ground and the lines across it.
PALE = "#e9e9e9"
HATCH = "#b0b0b0"

# Luminance of the grey on which black and white are equally easy to read.
_MIDDLE = 0.18


def colour(node: int) -> str:
    """Return the colour of a node as "#rrggbb"; it depends on the node's number alone.

    Examples
    --------
    >>> colour(0), colour(1)
    ('#0072b2', '#e69f00')
    >>> len({colour(node) for node in range(40)})
    40
    """
    at = node * _DIGITS % len(_PALETTE)
    return f"#{_PALETTE[at : at + _DIGITS]}"


def ink(background: str) -> str:
    """Return black or white, whichever is easier to read on a background colour.

    Examples
    --------
    >>> ink(colour(0)), ink(colour(1))
    ('#ffffff', '#000000')
    """
    red, green, blue = (int(background[at : at + 2], 16) / 255 for at in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    return "#000000" if luminance > _MIDDLE else "#ffffff"
