"""Report which operations this process can perform here, and why the others fail: preflight()."""
