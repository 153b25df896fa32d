"""The call cache and the board of breakers on a Redis server."""

from adapters.redis_calls.board import RedisCallBoard
from adapters.redis_calls.cache import RedisCalls

__all__ = ["RedisCallBoard", "RedisCalls"]
