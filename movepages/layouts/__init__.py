"""Pure functions: which page belongs on which node."""
