"""The Kubernetes API: discovery, the server engine, live objects. The only owner of the client."""
