"""Frozen values of conversations, model calls and jobs, and the rules on them. Standard library only."""
