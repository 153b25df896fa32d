"""The routes that OpenAI's clients call."""
