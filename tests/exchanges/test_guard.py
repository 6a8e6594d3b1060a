"""What the guard of the client's lines finds: planted faults, innocent look-alikes, hostile text."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.agenda import Brief
from assay.agenda.brief import GoalItem, Known, Sheet, Unknown
from assay.errors import UsageError
from assay.exchanges.conversation.guard import CODES, Candidate, Situation, faults_in
from assay.exchanges.conversation.guard.facts import facts_of
from assay.exchanges.conversation.guard.numbers import numbers
from assay.exchanges.conversation.guard.planted import JUDGED, read_planted, tallied
from assay.exchanges.conversation.guard.topics import asked_in
from assay.exchanges.conversation.loops import Spoken
from assay.loading.tasks import BUILT_IN

SAMPLES = sorted((Path(__file__).parent / "planted").glob("*.jsonl"))
CAUGHT, ALARMS = 0.95, 0.02


def prompts() -> dict[str, tuple[str, str]]:
    folder = BUILT_IN / "phone_orders" / "prompts"
    read = {}
    for language, place in (("ru", folder), ("en", folder / "en")):
        agent, client = (place / f"{side}_system.txt" for side in ("agent", "client"))
        read[language] = (agent.read_text("utf-8"), client.read_text("utf-8"))
    return read


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_of_planted_faults_enough_are_caught_and_few_innocent_lines_accused(sample):
    tallies = tallied(read_planted(sample.read_bytes().splitlines(), sample.name), prompts())
    assert {kind for kind, _ in tallies} >= set(CODES) - JUDGED
    for kind in {kind for kind, _ in tallies} - JUDGED:
        mine = [tally for (each, _), tally in tallies.items() if each == kind]
        caught, faulty = sum(t.caught for t in mine), sum(t.faulty for t in mine)
        alarms, innocent = sum(t.alarms for t in mine), sum(t.innocent for t in mine)
        assert caught >= CAUGHT * faulty, (kind, [name for t in mine for name in t.missed])
        assert alarms <= ALARMS * innocent, (kind, [name for t in mine for name in t.alarmed])


def test_a_planted_transcript_that_is_none_is_refused_with_its_line():
    with pytest.raises(UsageError, match="x:2"):
        list(read_planted([b"", b"{}"], "x"))
    good = json.loads(SAMPLES[0].read_text("utf-8").splitlines()[0])
    with pytest.raises(UsageError, match="fault is not kind"):
        list(read_planted([json.dumps({**good, "fault": "loop"}).encode()]))
    with pytest.raises(UsageError, match=r"x:2: id .* stands twice"):
        list(read_planted([json.dumps(good).encode()] * 2, "x"))


BRIEF = Brief((GoalItem("филе", 2),), phone="+79001112233", city="Москва", name="Иван")
TEXT = st.text(max_size=300) | st.from_regex(r"[а-яa-z0-9 +.,:;{}\"'«»<>/-]{0,200}", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(TEXT, TEXT, st.sampled_from(["ru", "en"]), st.sampled_from([None, "goal_done", "gave_up"]))
def test_no_text_breaks_the_guard_and_equal_lines_have_equal_faults(heard, text, language, hang_up):
    brief = Brief(BRIEF.goal, language=language, phone=BRIEF.phone, city="Москва")
    situation = Situation(brief, (Spoken("agent", heard), Spoken("client", text), Spoken("agent", heard)))
    first = faults_in(situation, Candidate(text, hang_up))
    assert first == faults_in(situation, Candidate(text, hang_up))
    assert len({fault.code for fault in first}) == len(first)


@pytest.mark.parametrize("piece", ["a", "1", "{", "<", " ", "?", "я ", "2 и ", "+7 ", "клиент "])
def test_a_long_line_costs_no_long_time(piece):
    line = piece * (16_000 // len(piece))
    situation = Situation(BRIEF, (Spoken("agent", line), Spoken("client", line), Spoken("agent", line)))
    faults_in(situation, Candidate(line))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("две пачки", [2]),
        ("полтора кило и двести пятьдесят граммов", [1.5, 250]),
        ("два с половиной", [2.5]),
        ("двадцать первого июня", [21]),
        ("сто двадцать тысяч триста", [120300]),
        ("девятьсот сто одиннадцать двадцать два", [900, 111, 22]),
        ("twenty-five, one hundred and six", [25, 106]),
        ("two and a half", [2.5]),
        ("1,5 и 2.25", [1.5, 2.25]),
        ("ничего", []),
    ],
)
def test_numbers_are_read_in_figures_and_in_words(text, values):
    assert [number.value for number in numbers(text)] == values


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("+7 (900) 111-22-33", ["phone"]),
        ("плюс семь девятьсот, сто одиннадцать, двадцать два, тридцать три", ["phone"]),
        ("заказ номер 4521", ["id"]),
        ("ORD-00012", ["id"]),
        ("13 июня", ["date"]),
        ("the 13th of June", ["date"]),
        ("2025-06-13 в 18:00", ["date"]),
        ("ул. Мира, 5, квартира двенадцать", ["address", "address", "address"]),
        ("350 рублей", ["money"]),
        ("2 кг", ["quantity"]),
        ("минут пять, второй раз, сто процентов, после шести вечера", []),
        ("мне 65 лет, нас четверо", []),
    ],
)
def test_facts_have_their_kind_and_times_durations_and_ages_are_none(text, kinds):
    assert [fact.kind for fact in facts_of(text)] == kinds


def codes_of(text, *, asked="", unknown=(), known=(), language="ru"):
    sheet = Sheet(known=tuple(Known(f"k{n}", each) for n, each in enumerate(known)), unknown=unknown)
    brief = Brief(BRIEF.goal, language=language, phone=BRIEF.phone, city="Москва", sheet=sheet)
    lines = (Spoken("client", "Здравствуйте, мне филе."), Spoken("agent", asked or "Ещё что-нибудь?"))
    return {fault.code for fault in faults_in(Situation(brief, lines), Candidate(text))}


@pytest.mark.parametrize(
    ("code", "fault", "innocent"),
    [
        ("goal_leak", "Тогда кладу трубку с out_of_scope.", "Это вне вашей работы, наверное?"),
        ("goal_leak", "Поле «количество» равно двум.", "Впишите имя в поле получателя: Иван."),
        ("goal_leak", "Критерий выполнен, оформляйте.", "Главный критерий — свежесть."),
        ("goal_leak", "Ставлю два балла из трёх за этот звонок.", "Ставлю вам пять с плюсом!"),
        ("goal_leak", "All criteria are met, bye.", "My only criterion is that it is fresh."),
        ("goal_leak", "My goal has two items.", "My goal is to be in time for the party."),
        ("reasoning_leak", "Поскольку я играю клиента, скажу: да.", "Сын играет роль покупателя в пьесе."),
        ("reasoning_leak", "My role is a customer, so yes.", "My role in the family is the shopping."),
        ("reasoning_leak", "Инструкция велит отвечать кратко.", "По инструкции две таблетки в день."),
        ("role_flip", "Чем ещё я вам могу помочь?", "Чем вы мне можете помочь?"),
        ("role_flip", "Вам удобно завтра утром?", "Вам удобно, если я заплачу картой?"),
        ("role_flip", "We apologise for the delay.", "I apologise for the noise, we have builders in."),
        ("role_flip", "Have you ordered from us before?", "I have ordered from you before."),
        ("role_flip", "May I have your name?", "I'm allergic to nuts. May I have white roses?"),
        ("role_flip", "Готовы оформить заказ?", "Готова оформить заказ."),
        ("role_flip", "Let me offer you a replacement.", "Offer me a replacement, please."),
        ("role_flip", "Передам ваш заказ курьеру.", "Передам трубку мужу."),
        ("goal_leak", "Модель-судья поставит вам два балла.", "А баллы за этот заказ начислят?"),
        ("reasoning_leak", "As instructed, I do not mention it.", "As instructed, I'm calling back."),
    ],
)
def test_a_family_of_faults_is_found_and_its_look_alike_is_not_accused(code, fault, innocent):
    language = "ru" if re.search("[а-я]", fault) else "en"
    assert code in codes_of(fault, language=language)
    assert code not in codes_of(innocent, language=language)


@pytest.mark.parametrize(
    ("item", "asked", "line", "revealed"),
    [
        ("промокод", "Назовите промокод.", "Промокод? Это промокод ПОДАРОК.", True),
        ("промокод", "Назовите промокод.", "Да, конечно: весна.", True),
        ("промокод", "Назовите промокод.", "Посмотрите сами.", False),
        ("имя прошлого курьера", "Как звали курьера?", "Если не ошибаюсь, Костя.", True),
        ("имя прошлого курьера", "Как звали курьера?", "Высокий такой, а имя не запомнила.", False),
        ("имя прошлого курьера", "Как звали курьера?", "Не помню... А, вспомнил, Костя!", True),
        ("номер карты", "Продиктуйте номер карты.", "Карта у жены.", False),
        ("дата прошлого заказа", "Какая дата прошлого заказа?", "Заказывала позавчера вечером.", True),
        ("дата прошлого заказа", "Какая дата прошлого заказа?", "Позавчера? Не помню.", False),
        (Unknown("код домофона", "ключ 38К"), "Какой код домофона?", "Вроде 38К.", True),
        (Unknown("код домофона", "ключ 38К"), "Какой код домофона?", "Код домофона 2580.", True),
        (Unknown("код домофона", "ключ 38К"), "Код домофона ведь 38К?", "Верно, 38К.", False),
    ],
)
def test_a_value_of_what_is_unknown_is_found_with_and_without_figures(item, asked, line, revealed):
    assert ("unknown_revealed" in codes_of(line, asked=asked, unknown=(item,))) is revealed


def test_an_address_whose_name_stands_first_is_known_in_another_order():
    known = ("Адрес: Ленинский проспект, 28",)
    said = codes_of("Дом 28, улица Ленинский проспект.", asked="Куда доставить?", known=known)
    assert "ungrounded_fact" not in said
    assert "ungrounded_fact" in codes_of("Ленинский проспект, 31.", asked="Куда доставить?", known=known)


@pytest.mark.parametrize(
    ("line", "topics"),
    [
        ("Адрес потом спрошу. Ещё что-нибудь?", set()),
        ("Остался адрес.", {"address"}),
        ("Вы всё ещё на Речной улице, 4?", {"address"}),
        ("Номер бонусной карты скажете?", {"loyalty"}),
        ("Номер скажете?", {"phone"}),
        ("Crumb Street Bakery, hello?", set()),
        ("What's your membership number?", set()),
        ("Number, please.", {"phone"}),
    ],
)
def test_what_an_agents_line_asks_for_is_read_by_sentence(line, topics):
    assert asked_in(line) & {"address", "phone", "loyalty"} == topics


@pytest.mark.parametrize(
    ("agent", "placed"),
    [
        ("Заказ оформлен, номер 5518.", True),
        ("Заказ почти готов, нужно ваше слово.", False),
        ("Заказ сформирован. Подтверждаете?", False),
        ("Ваш заказ принят? Сейчас посмотрю.", False),
        ("Заказ проведён.", True),
    ],
)
def test_an_order_is_placed_by_a_statement_that_seeks_no_consent(agent, placed):
    lines = (Spoken("agent", "Слушаю."), Spoken("client", "Мне филе."), Spoken("agent", agent))
    found = {fault.code for fault in faults_in(Situation(BRIEF, lines), Candidate("Спасибо.", "goal_done"))}
    assert ("premature_hangup" not in found) is placed


@pytest.mark.parametrize(
    ("asked", "line", "revealed"),
    [
        ("Какой пароль от кабинета?", "Подсолнух, верно?", True),
        ("Какой пароль от кабинета?", "Не уверен, но вроде подсолнух.", True),
        ("Какой пароль от кабинета?", "Подсолнух — это пароль от кабинета.", True),
        ("Какой пароль от кабинета?", "Ерунда какая-то, откуда у меня.", False),
        ("Какой пароль от кабинета?", "Это секрет.", False),
        ("Ещё что-нибудь?", "Нет. Пароль от кабинета: «подсолнух».", True),
        ("Ещё что-нибудь?", "Нет. И пароль от кабинета не спрашивайте.", False),
    ],
)
def test_a_clause_tells_what_is_unknown_unless_it_denies_or_asks(asked, line, revealed):
    assert ("unknown_revealed" in codes_of(line, asked=asked, unknown=("пароль от кабинета",))) is revealed
