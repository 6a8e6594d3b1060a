from assay.message import Arrivals, Kind, Message, Reply, Sampling, ToolCall


def test_only_events_with_characters_of_an_answer_are_token_events():
    arrivals = Arrivals()
    arrivals.append(10, Kind.ROLE, 0, 1)
    arrivals.append(20, Kind.CONTENT, 0, 2)
    arrivals.append(30, Kind.REASONING, 3, 3)
    arrivals.append(40, Kind.CONTENT | Kind.FINISH, 2, 4)
    arrivals.append(50, Kind.USAGE, 9, 5)
    assert arrivals.token_stamps() == [30, 40]
    assert arrivals.token_span() == (30, 40)


def test_events_of_one_read_are_one_group_and_each_has_its_stamp():
    arrivals = Arrivals()
    arrivals.append(10, Kind.ROLE, 0, 1)
    arrivals.extend(20, Kind.CONTENT, [3, 4, 5], 2)
    arrivals.append(20, Kind.FINISH, 0, 2)
    arrivals.append(30, Kind.DONE, 0, 2)
    arrivals.extend(40, Kind.CONTENT, [], 3)
    assert (list(arrivals.stamps), list(arrivals.reads), list(arrivals.counts)) == (
        [10, 20, 30],
        [1, 2, 2],
        [1, 4, 1],
    )
    assert arrivals.at == [10, 20, 20, 20, 20, 30]
    assert arrivals.read == [1, 2, 2, 2, 2, 2]
    assert arrivals.token_span() == (20, 20)
    assert Arrivals().token_span() is None


def test_settings_lie_over_others_and_zero_is_a_setting():
    assert Sampling(temperature=0).over(Sampling(temperature=1, max_tokens=9)) == Sampling(
        temperature=0, max_tokens=9
    )


def test_a_reply_becomes_the_message_of_the_history():
    call = ToolCall("1", "f", "{}")
    assert Reply(tool_calls=(call,)).message == Message("assistant", (), (call,))
