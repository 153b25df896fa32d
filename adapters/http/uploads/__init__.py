"""Recordings in: as a form, by an address, in pieces."""
