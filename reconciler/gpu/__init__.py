"""What a GPU class definition must be, beyond being equal to Git: rules over whole repositories. Pure."""
