"""Allocate arrays on nodes and set policies: empty(), bind(), touch(), collapse(), page_cache()."""
