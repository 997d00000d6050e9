"""Certificate authority and serving certificate."""
