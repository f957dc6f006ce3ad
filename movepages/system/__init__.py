"""What /proc and /sys tell of the machine and of processes: topology, mappings, privileges."""
