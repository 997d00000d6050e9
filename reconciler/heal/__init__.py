"""Putting live objects back to what Git says: whether, what, in which order, how soon again. Pure."""
