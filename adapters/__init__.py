"""One file or folder per technology, strangers to one another."""
