"""All desired objects at one revision of every source: its model and its row format. Pure."""
