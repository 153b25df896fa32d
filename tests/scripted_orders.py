"""What tests and the scripted engines of their cluster agree on. Without Ray: it reads its environment when it is imported."""

ORDERS = "WORDLOOP_TEST_ORDERS"
"""Environment variable naming the folder in which tests leave orders for engines."""
DIMENSIONS = 64
DIARIZER_LOADS_S = 6.0
