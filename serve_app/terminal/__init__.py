"""What all commands share: what was typed, and what is shown."""
