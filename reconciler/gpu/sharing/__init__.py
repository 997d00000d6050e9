"""Sharing of GPUs by the device plugin: rules about its ConfigMaps and the labels that select their keys. Pure."""
