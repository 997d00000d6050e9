"""The reconciler at work: sources to snapshot, server forms, live state to drift. The only package that ties edges together."""
