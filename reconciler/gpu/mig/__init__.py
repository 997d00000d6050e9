"""MIG layouts: which slices fit a GPU, and the rules about the ConfigMaps and labels that ask for them. Pure."""
