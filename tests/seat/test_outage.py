"""Rows R23 to R25 and R27 of the reliability table, in virtual time: hours pass in milliseconds."""

import asyncio
from collections import Counter
from random import Random

import pytest

from assay.errors import CallError, ErrorClass
from assay.message import Finish, Reply, Usage
from assay.seat.endpoint import Endpoint
from assay.seat.lane import Lane
from assay.seat.limits import Limits
from assay.seat.retry import Retry

ADAPTIVE = Limits(adaptive=True)
FINE = Reply("hi", finish=Finish.STOP, usage=Usage(3, 2))
DOWN = CallError(ErrorClass.OVERLOADED, "down", status=529)
GONE = CallError(ErrorClass.CONNECT, "refused")


class Server:
    """Answers after `seconds`; refuses at once while down, or above its capacity."""

    def __init__(self, seconds, *, down=(0.0, 0.0), failure=DOWN, capacity=lambda now: 10**6):
        self.seconds, self.down, self.capacity = seconds, down, capacity
        self.failure = failure
        self.arrivals, self.answers, self.refused = [], [], []
        self.busy = 0
        self.draw = Random(7)

    async def serve(self, request):
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.arrivals.append(now)
        if self.down[0] <= now < self.down[1]:
            self.refused.append(now)
            raise self.failure
        if self.busy >= self.capacity(now):
            self.refused.append(now)
            raise CallError(ErrorClass.RATE_LIMITED, "full", status=429)
        self.busy += 1
        try:
            await asyncio.sleep(self.seconds * self.draw.uniform(0.7, 1.3))
        finally:
            self.busy -= 1
        self.answers.append(loop.time())
        return FINE


def rate(instants, begin, end):
    return sum(begin <= at < end for at in instants) / (end - begin)


@pytest.mark.parametrize("failure", [DOWN, GONE], ids=["529", "connect"])
@pytest.mark.parametrize("seconds", [0.2, 1.0, 5.0])
def test_an_outage_of_a_minute_costs_few_calls_and_ends_without_a_herd(virtually, crowd, seconds, failure):
    server = Server(seconds, down=(3.0, 63.0), failure=failure)
    played = crowd(server.serve, Lane(Endpoint("e"), ADAPTIVE))
    virtually(lambda: played.play(2000, 64))
    assert played.outcomes == ["answered"] * 2000
    assert len(server.arrivals) <= 1.2 * 2000
    steady = 64 / seconds
    back = next(at for at in server.arrivals if at >= 63.0)
    assert back <= 63.0 + 30.0
    worst = max(rate(server.arrivals, back + at / 10, back + at / 10 + 1) for at in range(300))
    assert worst <= 2 * steady


def test_the_calls_of_an_outage_that_does_not_end_are_few_and_the_trials_can_be_resumed(virtually, crowd):
    server = Server(1.0, down=(10.0, 1e9))
    played = crowd(server.serve, Lane(Endpoint("e"), ADAPTIVE, hold=120.0), Retry(cap=120.0))
    virtually(lambda: played.play(2000, 64))
    ends = Counter(played.outcomes)
    assert ends["circuit"] > 1200
    assert ends["overloaded"] <= 4
    assert len(server.refused) < 100


def test_a_server_of_which_half_the_calls_fail_is_not_asked_more_than_the_retry_budget(virtually, crowd):
    asked = Counter()

    async def serve(request):
        asked[request.messages] += 1
        await asyncio.sleep(0.1)
        if hash((request.messages[0].text, asked[request.messages])) % 2:
            raise CallError(ErrorClass.OVERLOADED, "", status=500)
        return FINE

    played = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))
    virtually(lambda: played.play(2000, 64))
    assert asked.total() <= 1.2 * 2000


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_capacity_that_falls_and_rises_is_found_within_ten_seconds(virtually, crowd, seconds):
    """64 for a minute, 8 for a minute, 64 again: 90 % of what was possible, few refusals."""
    server = Server(seconds, capacity=lambda now: 8 if 60 <= now < 120 else 64)
    played = crowd(server.serve, Lane(Endpoint("e"), ADAPTIVE), Retry(retries=20, base=0.2))
    trials = int(1.1 * (120 * 64 + 60 * 8) / seconds)

    async def play():
        playing = asyncio.create_task(played.play(trials, 128))
        await asyncio.sleep(180)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)

    virtually(play)
    for begin, end, capacity in ((10, 60, 64), (70, 120, 8), (130, 180, 64)):
        assert rate(server.answers, begin, end) >= 0.9 * capacity / seconds, (begin, end)
    assert len(server.refused) <= 0.05 * len(server.arrivals)


@pytest.mark.parametrize("asked", [0.0, 2.0, 37.5, 299.0])
def test_what_the_server_asks_to_wait_is_waited_by_all_its_calls(virtually, crowd, asked):
    arrivals = []

    async def serve(request):
        now = asyncio.get_running_loop().time()
        arrivals.append(now)
        await asyncio.sleep(0.5)
        if now < 5.0 + asked and now >= 5.0:
            raise CallError(ErrorClass.RATE_LIMITED, "", status=429, retry_after=5.0 + asked - now)
        return FINE

    played = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))
    virtually(lambda: played.play(500, 16))
    assert played.outcomes == ["answered"] * 500
    told = 5.5  # the first refusal reaches the client
    assert not [at for at in arrivals if told + 0.01 < at < 5.0 + asked]


def test_a_wait_beyond_the_cap_parks_the_model_and_no_trial_is_held_or_failed(virtually, crowd):
    async def serve(request):
        await asyncio.sleep(0.5)
        raise CallError(ErrorClass.RATE_LIMITED, "", status=429, retry_after=3600.0)

    parked = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))
    other = crowd(Server(0.5).serve, Lane(Endpoint("e"), ADAPTIVE))

    async def play():
        await asyncio.gather(parked.play(1000, 16), other.play(1000, 16))
        return asyncio.get_running_loop().time()

    assert virtually(play) < 60
    assert parked.outcomes == ["circuit"] * 1000
    assert len(parked.store.reserved) == 16
    assert other.outcomes == ["answered"] * 1000


def test_a_parked_model_goes_on_when_the_server_wants_it_again(virtually, crowd):
    server = Server(0.5)

    async def serve(request):
        if asyncio.get_running_loop().time() < 3600:
            raise CallError(ErrorClass.RATE_LIMITED, "", status=429, retry_after=3600.0)
        return await server.serve(request)

    played = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))

    async def play():
        await played.play(10, 4)
        await asyncio.sleep(3601)
        await played.play(10, 4)

    virtually(play)
    assert played.outcomes == ["circuit"] * 10 + ["answered"] * 10


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_a_refused_account_ends_its_model_after_the_calls_in_flight(virtually, crowd, status):
    async def serve(request):
        await asyncio.sleep(0.5)
        raise CallError(ErrorClass.DENIED, "no quota", status=status)

    refused = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))
    other = crowd(Server(0.5).serve, Lane(Endpoint("e"), ADAPTIVE))

    async def play():
        await asyncio.gather(refused.play(1000, 16), other.play(1000, 16))

    virtually(play)
    assert len(refused.store.reserved) == 16
    assert {call.attempt for call in refused.store.reserved} == {1}
    assert Counter(refused.outcomes) == {"denied": 16, "circuit": 984}
    assert refused.lane.breaker.open == "no quota"
    assert other.outcomes == ["answered"] * 1000


def test_a_rejected_request_is_not_sent_again_and_stops_nothing(virtually, crowd):
    async def serve(request):
        raise CallError(ErrorClass.REJECTED, "bad", status=400)

    played = crowd(serve, Lane(Endpoint("e"), ADAPTIVE))
    virtually(lambda: played.play(1000, 16))
    assert len(played.store.reserved) == 1000
    assert Counter(played.outcomes) == {"rejected": 1000}
