"""The admission side: decisions, the servers that answer them, certificates and registration."""
