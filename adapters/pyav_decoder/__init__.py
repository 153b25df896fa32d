"""Untrusted audio and video to 16 kHz mono PCM, decoded by FFmpeg's libraries in a confined child process.

`decoder.py` is the adapter; `child.py` and what it imports run in the child. This file stays empty of imports, because the
child pays for each of them (docs/adr/0004).
"""
