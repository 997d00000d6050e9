"""`setscrew check`: what is wrong with a file or repository before it is pushed. Must not need a cluster."""
