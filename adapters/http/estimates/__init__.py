"""What a request would cost and take."""
