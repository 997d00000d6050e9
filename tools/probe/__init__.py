"""Asks a real API server what it fills in, and learns rules from its answers; see tools/generate_defaults.py."""
