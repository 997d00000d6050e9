"""An installation in a cluster: what a pod does beside what `setscrew run` does on one machine."""
