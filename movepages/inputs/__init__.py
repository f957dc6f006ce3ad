"""Turn what users hold into memory: one array, or the named members of a tensor, table or model."""
