"""Speakers: find who speaks when, give them their words, and call them by their names."""
