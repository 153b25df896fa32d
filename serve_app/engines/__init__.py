"""Which engine serves which model on this machine, how it is built, and how fast it was."""
