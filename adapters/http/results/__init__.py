"""Transcripts, recaps, conversations: made, read, renamed, deleted."""
