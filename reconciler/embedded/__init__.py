"""Documents inside strings of objects, such as a MIG layout in a ConfigMap: what they mean. Pure."""
