"""What a schema says about a kind: list types, quantities, scope, plural names. Pure."""
