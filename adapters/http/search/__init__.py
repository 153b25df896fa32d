"""Search over words and meaning."""
