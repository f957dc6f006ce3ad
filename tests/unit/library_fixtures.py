"""Objects that stand for those of libraries."""


def made(module, name, bases=(), **attributes):
    """Return an object of a class with this module and name."""
    return type(name, bases, {"__module__": module, **attributes})()
