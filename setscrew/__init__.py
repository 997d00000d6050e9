"""The composition root: commands, `run`, demo, control plane; nothing below imports it, and importing it is free."""
