"""Health of an installation: facts are gathered at its edges, and small pure checks make findings of them."""
