"""Layouts: pure functions that say which node each page belongs on."""
