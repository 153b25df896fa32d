"""What `wordloop doctor` looks at."""
