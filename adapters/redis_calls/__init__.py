"""The call cache on a Redis server."""

from adapters.redis_calls.cache import RedisCalls

__all__ = ["RedisCalls"]
