"""Snapshot files and state on disk."""
