"""The reconciler at work: sources to snapshot, server forms, live state to drift. Ties the edges together."""
