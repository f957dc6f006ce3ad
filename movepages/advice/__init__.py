"""Advice: what lies far from the threads that use it, what mends that, and whether it pays."""
