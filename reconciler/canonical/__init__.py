"""From a rendered object to its canonical form. Pure; only this package makes canonical objects."""
