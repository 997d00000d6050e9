"""Setscrew in a cluster: pure plans of what is applied, changed and removed, and the edges that do it."""
