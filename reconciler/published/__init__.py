"""Published snapshots: what the leader enforces, as signed Secrets from which every replica fills its snapshot file."""
