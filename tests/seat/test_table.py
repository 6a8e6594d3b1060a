import pytest

from assay.errors import CallError, ErrorClass


async def test_an_effect_is_done_once_and_replayed_after_a_restart(setting):
    done = []

    async def act():
        done.append(1)
        return {"session_id": "x"}

    table, _ = setting.table([])
    first = await table.effect("webhook", "session.init", act)
    again, _ = setting.table([], held=await setting.restart())
    assert await again.effect("webhook", "session.init", act) == first == {"session_id": "x"}
    assert done == [1]


async def test_a_failed_effect_fails_again_without_being_done(setting):
    done = []

    async def act():
        done.append(1)
        raise CallError(ErrorClass.TIMEOUT, "connect: 2 s")

    table, _ = setting.table([])
    for attempt in range(2):
        if attempt:
            table, _ = setting.table([], held=await setting.restart())
        with pytest.raises(CallError, match="timeout: connect: 2 s") as caught:
            await table.effect("webhook", "session.init", act)
        assert caught.value.error is ErrorClass.TIMEOUT
    assert done == [1]


async def test_an_effect_in_flight_at_a_kill_is_done_again(setting):
    table, _ = setting.table([])

    async def killed():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await table.effect("webhook", "session.init", killed)

    async def act():
        return 1

    again, _ = setting.table([], held=await setting.restart())
    assert await again.effect("webhook", "session.init", act) == 1


async def test_a_random_stream_is_the_same_at_every_play(setting):
    first, _ = setting.table([])
    second, _ = setting.table([])
    assert first.random("fence").random() == second.random("fence").random()
    assert first.random("fence").random() != first.random("other").random()


async def test_what_must_not_be_foretold_comes_from_the_stores_secret_and_is_found_again(setting):
    first, _ = setting.table([])
    drawn = first.unguessable("fence").getrandbits(64)
    assert drawn != first.random("fence").getrandbits(64)
    again, _ = setting.table([], held=await setting.restart())
    other, _ = setting.table([], trial="k2")
    assert drawn == again.unguessable("fence").getrandbits(64)
    assert drawn != other.unguessable("fence").getrandbits(64)
