"""The admission server: a bare ASGI callable around decide(), and its gunicorn settings."""
