"""Helpers of several tests: memory in a known place, a witness of its place, other processes."""
