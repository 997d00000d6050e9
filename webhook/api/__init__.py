"""The API server (Flask): drift report, receivers. Its own process and listener."""
