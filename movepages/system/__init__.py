"""Read topology, mappings and privileges from /proc and /sys."""
