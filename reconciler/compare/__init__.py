"""Canonical against live: one comparison for verdict and shown difference. Pure."""
