"""Signatures of Git revisions: who has signed what was fetched, and whether that is enough. Never runs a renderer."""
