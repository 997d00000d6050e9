"""Owns the way of a live change into Git: which text of which file must say what, and the proof that this is enough."""
