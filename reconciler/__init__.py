"""The desired-state side: from Git to canonical form, snapshot and drift. Importing this package costs nothing."""
