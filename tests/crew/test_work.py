"""Handing out trials, and finding out which of them kill their workers."""

import itertools

from assay.crew.work import Item, Work


def work(count: int, phase=lambda due: "window", tries: int = 3) -> Work:
    return Work((Item(n, float(n)) for n in range(count)), phase, tries)


def positions(given: Work, worker: int, count: int) -> list[int]:
    return [item.position for _ in range(count) if (item := given.take(worker)) is not None]


def test_every_trial_is_handed_out_once_in_the_order_of_the_plan():
    given = work(5)
    assert positions(given, 0, 3) == [0, 1, 2]
    assert positions(given, 1, 3) == [3, 4]
    assert given.take(1) is None
    assert not given.done
    for worker, position in [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4)]:
        given.ended(worker, position)
    assert given.done


def test_what_a_dead_worker_had_is_handed_out_again_first_and_known_as_such():
    given = work(6)
    positions(given, 0, 3)
    given.began(0, 0)
    given.ended(0, 0)
    given.began(0, 1)
    assert given.lost(0) == []
    assert positions(given, 1, 3) == [1, 2, 3]
    assert given.again(1)
    assert not given.again(3)


def test_a_trial_that_kills_its_worker_three_times_is_given_up_and_no_other():
    """Four are in play at each death; the last death is that of a worker that had the poison alone."""
    given = work(12)
    poison, deaths, given_up = 2, 0, []
    ended = set()
    for _ in itertools.repeat(None, 100):
        if given.done:
            break
        mine = positions(given, 0, 4)
        for position in mine:
            given.began(0, position)
        if poison in mine:
            deaths += 1
            given_up += given.lost(0)
            continue
        for position in mine:
            given.ended(0, position)
            ended.add(position)
    assert given_up == [poison]
    assert deaths == 3
    assert ended == set(range(12)) - {poison}


def test_a_suspect_is_played_by_a_worker_that_has_nothing_else():
    given = work(8)
    for _ in range(2):
        mine = positions(given, 0, 2)
        for position in mine:
            given.began(0, position)
        assert given.lost(0) == []
    assert positions(given, 1, 4) == [0]
    assert positions(given, 0, 4) == [1]
    assert positions(given, 0, 4) == []
    given.ended(0, 1)
    assert positions(given, 0, 4) == [2, 3, 4, 5]
    assert positions(given, 1, 4) == []


def test_what_had_not_begun_is_no_suspect():
    given = work(3)
    for _ in range(5):
        mine = positions(given, 0, 3)
        given.began(0, mine[0])
        given.ended(0, mine[0]) if mine[0] != 1 else None
        if given.lost(0) == [1]:
            break
    assert positions(given, 0, 3) == [2]


def test_a_run_by_duration_ends_when_no_trial_of_its_window_is_in_play():
    given = work(100, phase=lambda due: "window" if due < 2 else "tail")
    assert positions(given, 0, 3) == [0, 1, 2]
    given.ended(0, 0)
    assert positions(given, 1, 1) == [3]
    given.ended(0, 1)
    assert given.take(0) is None
    assert given.done
