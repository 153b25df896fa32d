"""Jobs: their state, their events, who is told of their end."""
