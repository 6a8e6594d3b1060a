"""Never a no to a key that was seen, seldom a yes to one that was not, two bytes a key."""

from hypothesis import given
from hypothesis import strategies as st

from assay.keys import digest
from assay.store.seen import LEAST_BITS, MOST_BITS, Seen


@given(st.sets(st.text(max_size=20)), st.integers(0, 100))
def test_what_was_seen_is_never_denied(keys, room) -> None:
    seen = Seen(room)
    for key in keys:
        seen.add(key)
    assert all(key in seen for key in keys)


def test_an_unseen_key_is_rarely_taken_for_seen() -> None:
    seen = Seen(20_000)
    for n in range(20_000):
        seen.add(digest(n))
    wrong = sum(digest(-n) in seen for n in range(1, 20_001))
    assert wrong < 200  # 1 %; 0.24 % are expected


def test_nothing_is_seen_in_the_beginning() -> None:
    seen = Seen(0)
    assert not any(digest(n) in seen for n in range(1000))


def test_its_size_follows_the_room_up_to_a_bound() -> None:
    assert len(Seen(0)._bits) == LEAST_BITS // 8
    assert len(Seen(200_000)._bits) == 2**22 // 8
    assert len(Seen(10**12)._bits) == MOST_BITS // 8
