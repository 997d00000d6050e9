"""Comparisons with time, manager, owner and source: the drift report. Pure."""
