"""The service itself: alive, ready, which models."""
