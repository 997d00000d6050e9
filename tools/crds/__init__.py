"""The schemas of our own kinds, as the API server is to hold them."""
