"""Clients of OpenAI's API that are run, each in an environment of its own, against a service with real models."""
