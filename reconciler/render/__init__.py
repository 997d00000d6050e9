"""Helm, Kustomize and YAML to objects, always in child processes."""
