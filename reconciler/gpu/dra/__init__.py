"""Rules about Dynamic Resource Allocation: device classes, claims, templates, what drivers are handed. Pure."""
