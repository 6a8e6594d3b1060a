from hypothesis import given
from hypothesis import strategies as st

from assay.message import Arrivals, Kind, Message, Reply, Sampling, ToolCall


@given(
    st.lists(
        st.tuples(st.integers(0, 2**62), st.integers(0, 1023), st.integers(0, 2**31), st.integers(0, 2**31))
    )
)
def test_packed_arrivals_come_back_as_they_were(rows):
    arrivals = Arrivals()
    for row in rows:
        arrivals.append(*row)
    assert Arrivals.unpack(arrivals.pack()) == arrivals


def test_only_events_with_characters_of_an_answer_are_token_events():
    arrivals = Arrivals()
    arrivals.append(10, Kind.ROLE, 0, 1)
    arrivals.append(20, Kind.CONTENT, 0, 2)
    arrivals.append(30, Kind.REASONING, 3, 3)
    arrivals.append(40, Kind.CONTENT | Kind.FINISH, 2, 4)
    arrivals.append(50, Kind.USAGE, 9, 5)
    assert arrivals.token_stamps() == [30, 40]


def test_settings_lie_over_others_and_zero_is_a_setting():
    assert Sampling(temperature=0).over(Sampling(temperature=1, max_tokens=9)) == Sampling(
        temperature=0, max_tokens=9
    )


def test_a_reply_becomes_the_message_of_the_history():
    call = ToolCall("1", "f", "{}")
    assert Reply(tool_calls=(call,)).message == Message("assistant", (), (call,))
