"""The drift report as text: one module a format, and `registry` that knows them all. Pure: no I/O, no clock."""
