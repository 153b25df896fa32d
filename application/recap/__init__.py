"""Recaps: select what was said, phrase it in small steps, check every sentence against what it cites (docs/adr/0007)."""
