"""A replica that has done enough asks to be replaced, in its turn and never while another one is missing."""

from dataclasses import dataclass, field, replace

from ray.serve._private.constants import DEFAULT_HEALTH_CHECK_PERIOD_S, REPLICA_HEALTH_CHECK_UNHEALTHY_THRESHOLD

from adapters.ray_serve.recycling import ASKING_S, TURN_S, RecycleLimits, Recycling, Siblings
from adapters.ray_serve.replica_health import BELIEVED_AFTER

GIB = 1024**3


@dataclass
class World:
    """What replicas see: the time, their memory, and one another."""

    now: float = 1000 * TURN_S * 6
    rss: int = GIB
    seen: Siblings = field(default_factory=lambda: Siblings(0, 1, True))

    def replica(self, limits: RecycleLimits, number: int | None = None) -> Recycling:
        async def siblings() -> Siblings:
            return self.seen if number is None else replace(self.seen, number=number)

        return Recycling(limits, siblings, lambda: self.rss, lambda: self.now)


def worked(replica: Recycling, calls: int) -> Recycling:
    for _ in range(calls):
        replica.count()
    return replica


async def test_nothing_is_recycled_that_has_no_limit() -> None:
    world = World()
    replica = worked(world.replica(RecycleLimits()), 10_000)
    world.rss = 100 * GIB
    assert await replica.wish() is None


async def test_after_so_many_calls() -> None:
    replica = worked(World().replica(RecycleLimits(calls=3)), 2)
    assert await replica.wish() is None
    assert await worked(replica, 1).wish() == "recycled after 3 calls"


async def test_past_so_much_memory() -> None:
    world = World()
    replica = world.replica(RecycleLimits(rss_bytes=2 * GIB))
    assert await replica.wish() is None
    world.rss = 3 * GIB
    assert await replica.wish() == "recycled with 3,072 MiB of memory"


async def test_a_limit_below_what_a_fresh_replica_takes_holds_nothing() -> None:
    world = World()
    replica = world.replica(RecycleLimits(rss_bytes=GIB // 2))
    assert replica.limit_is_too_low
    world.rss = 3 * GIB
    assert await replica.wish() is None, "its successor would be over it too"


async def test_of_several_that_are_worn_one_asks_at_a_time_and_each_has_its_turn() -> None:
    world = World(seen=Siblings(0, 3, True))
    asked = []
    for second in range(0, int(3 * TURN_S), 10):
        # Serve replaces the one that asks before the next turn, so each is asked afresh here.
        wishes = [await worked(world.replica(RecycleLimits(calls=1), number), 1).wish() for number in range(3)]
        assert sum(wish is not None for wish in wishes) <= 1
        asked += [(second // int(TURN_S), number) for number, wish in enumerate(wishes) if wish is not None]
        world.now += 10
    assert dict(asked) == {0: 0, 1: 1, 2: 2}


async def test_nobody_begins_while_one_is_missing_or_late_in_its_turn() -> None:
    world = World(seen=Siblings(0, 1, False))
    replica = worked(world.replica(RecycleLimits(calls=1)), 1)
    assert await replica.wish() is None
    world.seen = Siblings(0, 1, True)
    world.now += ASKING_S
    assert await replica.wish() is None


async def test_who_has_begun_to_ask_goes_on_until_serve_believes_it() -> None:
    world = World()
    replica = worked(world.replica(RecycleLimits(calls=1)), 1)
    first = await replica.wish()
    world.now += TURN_S * 0.75
    world.seen = Siblings(0, 1, False)
    assert await replica.wish() == first == "recycled after 1 calls"


def test_serve_notices_before_the_next_turn() -> None:
    checks_s = REPLICA_HEALTH_CHECK_UNHEALTHY_THRESHOLD * DEFAULT_HEALTH_CHECK_PERIOD_S
    assert ASKING_S + checks_s < TURN_S
    assert BELIEVED_AFTER == REPLICA_HEALTH_CHECK_UNHEALTHY_THRESHOLD
