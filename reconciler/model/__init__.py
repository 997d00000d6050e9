"""The nouns everything else speaks in: refs, trees, paths, rendered objects. Pure."""
