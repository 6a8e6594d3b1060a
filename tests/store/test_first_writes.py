"""The first records of a process: every row has an id of its session, whoever wrote first."""

import asyncio
import sqlite3
from contextlib import closing

from assay.store.sqlite import SESSION_BITS, SqliteStore


async def test_a_record_that_meets_the_beginning_of_the_session_has_an_id_of_it(place, sample):
    store = SqliteStore.open(place)
    await store.open_run(sample.run())
    await store.close()

    async def late(store: SqliteStore, number: int) -> None:
        while not store._heartbeats.session:
            await asyncio.sleep(0)
        await store.reserve(sample.call(f"late-{number}"))

    for number in range(20):
        again = SqliteStore.open(place)
        await asyncio.gather(again.reserve(sample.call(f"first-{number}")), late(again, number))
        await again.close()

    with closing(sqlite3.connect(place)) as connection:
        sessions = [number >> SESSION_BITS for (number,) in connection.execute("SELECT id FROM calls")]
    assert sorted(sessions) == sorted(2 * list(range(2, 22)))
