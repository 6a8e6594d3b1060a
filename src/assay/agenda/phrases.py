"""How a customer talks and what it listens for, per language and tone."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

Tone = Literal["calm", "impatient", "confused"]


class Phrases(Struct, frozen=True):
    """One language. `lines` by phrase and tone (calm stands in for a tone that is not there).

    `usual` follows the name of a product that was ordered before; `call_started` is the neutral
    message that opens a history which would else begin with the model's own line.
    """

    call_started: str
    usual: str
    lines: dict[str, dict[str, tuple[str, ...]]]
    asks_confirm: re.Pattern[str]
    is_placed: re.Pattern[str]
    is_transfer: re.Pattern[str]
    is_unavailable: re.Pattern[str]
    asks_phone: re.Pattern[str]
    asks_quantity: re.Pattern[str]
    asks_which: re.Pattern[str]
    asks_city: re.Pattern[str]
    asks_more: re.Pattern[str]
    asks_delivery: re.Pattern[str]
    is_farewell: re.Pattern[str]
    is_thanks: re.Pattern[str]
    affirms: re.Pattern[str]


def phrases_of(language: str) -> Phrases:
    """The language's phrases; English where there are none."""
    return _RU if language.startswith("ru") else _EN


def tone_of(personality: str) -> Tone:
    """The tone of a PERSONALITY; any other text is calm."""
    text = personality.casefold()
    if text.startswith(("нетерпелив", "impatient")):
        return "impatient"
    return "confused" if text.startswith(("растерян", "confused")) else "calm"


def mentions_name(text: str, name: str) -> bool:
    """Whether each word of the name occurs in the text, whatever its ending."""
    heard = text.casefold()
    words = re.findall(r"\w+", name.casefold())
    return bool(words) and all(word[: max(3, len(word) - 2)] in heard for word in words)


def _heard(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_RU = Phrases(
    call_started="(Звонок начался.)",
    usual=" как обычно",
    lines={
        "opening": {
            "calm": (
                "Здравствуйте! Хочу заказать: {items}.",
                "Добрый день! Мне нужно вот что: {items}.",
            ),
            "impatient": (
                "Так, мне нужно: {items}. Только побыстрее.",
                "Записывайте: {items}. Я тороплюсь.",
            ),
            "confused": (
                "Ой, здравствуйте... Мне бы, наверное: {items}.",
                "Алло, добрый день... Мне вроде нужно вот что: {items}.",
            ),
        },
        "vague": {
            "calm": ("Здравствуйте! Хочу сделать заказ.", "Добрый день! Мне бы продукты заказать."),
            "impatient": ("Мне надо заказать продукты, и быстро.", "Заказ примите, пожалуйста."),
            "confused": (
                "Ой, здравствуйте... Мне бы что-то заказать, сейчас соображу.",
                "Алло? Я насчёт заказа... или не туда попал?",
            ),
        },
        "phone": {
            "calm": ("Мой телефон {phone}.", "Да, конечно, {phone}."),
            "impatient": ("{phone}.",),
            "confused": ("Сейчас, найду... Вот, {phone}.",),
        },
        "more": {
            "calm": ("И ещё: {items}.", "Да, ещё нужно: {items}."),
            "impatient": ("Ещё: {items}.",),
            "confused": ("Ах да, забыл сказать: {items}.", "Погодите... И ещё: {items}."),
        },
        "repeat": {
            "calm": ("Я хотел бы заказать: {items}.",),
            "impatient": ("Я же говорю: {items}.", "Сколько можно? Повторяю: {items}."),
            "confused": ("Я не совсем вас понял. Мне нужно: {items}.",),
        },
        "not_all": {"calm": ("Подождите, это не всё. Ещё: {items}.",)},
        "quantity": {
            "calm": ("{qty}, пожалуйста.", "Мне нужно {qty}."),
            "impatient": ("{qty}.",),
            "confused": ("Ну, наверное, {qty}.", "Сейчас посчитаю... {qty}."),
        },
        "variant": {"calm": ("Вот этот вариант: {items}.",), "impatient": ("Вот этот: {items}.",)},
        "city": {"calm": ("Город {city}.", "Мы находимся в городе {city}.")},
        "yes": {
            "calm": ("Да, всё верно.", "Да, оформляйте, пожалуйста."),
            "impatient": ("Да, да, оформляйте.",),
            "confused": ("Вроде бы да, всё так.", "Да, кажется, верно."),
        },
        "change": {"calm": ("Подождите, планы поменялись. Пусть будет так: {items}.",)},
        "swap": {"calm": ("Тогда давайте взамен: {items}.",)},
        "without": {"calm": ("Жаль. Тогда ничего не нужно, до свидания.",)},
        "enough": {
            "calm": ("Нет, это всё.", "Больше ничего не нужно."),
            "impatient": ("Нет, всё.",),
            "confused": ("Вроде бы всё...", "Нет, кажется, ничего не забыл."),
        },
        "wish": {"calm": ("Мне нужна доставка {day}.",), "impatient": ("Только {day}, мне срочно.",)},
        "suits": {
            "calm": ("Да, подходит.", "Хорошо, меня устраивает."),
            "impatient": ("Ладно, подходит.",),
            "confused": ("Ну... да, пожалуй, подойдёт.",),
        },
        "thanks": {
            "calm": ("Спасибо, до свидания!", "Большое спасибо! Всего доброго."),
            "impatient": ("Наконец-то. Спасибо, до свидания.",),
            "confused": ("Ой, как хорошо, спасибо! До свидания.",),
        },
        "bye": {"calm": ("До свидания.",)},
        "gave_up": {
            "calm": ("Извините, так у нас не получится. До свидания.",),
            "impatient": ("Всё, мне надоело. До свидания.",),
            "confused": ("Я совсем запутался, не нужно ничего. До свидания.",),
        },
    },
    asks_confirm=_heard(
        r"вс[её] (?:ли )?(?:верно|правильно)|(?:верно|правильно)\s*\?|подтвержда(?:ете|ем)|подтвердите"
        r"|оформля(?:ем|ть|ю)\s*\?"
    ),
    is_placed=_heard(
        r"заказ[^.?!]{0,80}(?:оформлен\b|принят\b|размещ[её]н\b|создан\b)"
        r"|оформил[аи]? (?:ваш )?заказ|номер (?:вашего )?заказа|\bORD-\d"
    ),
    is_transfer=_heard(r"перевожу вас|переключаю|соединяю вас|переведу вас на"),
    is_unavailable=_heard(r"нет в наличии|нет на складе|закончил|отсутству|не осталось|раскупил"),
    asks_phone=_heard(
        r"(?:назов|продикт|подскаж|укаж|сообщ|скаж|напомн|уточн|какой|можно|нужен|оставь)"
        r"[^.?!]{0,60}(?:телефон|номер)"
    ),
    asks_quantity=_heard(r"сколько|како[ем] количеств|какое количество"),
    asks_which=_heard(
        r"как(?:ой|ая|ое|ую|ие) именно|какой вариант|уточните|имеете в виду|как(?:ой|ую) (?:сорт|марку)"
        r"|не наш(?:ла|[её]л)"
    ),
    asks_city=_heard(
        r"(?:как(?:ой|ом)|назов|подскаж|укаж|уточн|сообщ)[^.?!]{0,60}(?:город|адрес)|куда[^.?!]{0,30}достав"
    ),
    asks_more=_heard(
        r"что-(?:нибудь|то)[^.?!]{0,20}ещ[её]|ещ[её] что|чем (?:я )?(?:могу|можем) (?:вам )?помочь"
        r"|что (?:бы )?(?:вы )?(?:хотите|хотели|желаете|закаж|вам нужно|будете)|слушаю вас"
        r"|что вас интересует|это вс[её]\s*\?"
    ),
    asks_delivery=_heard(r"доставк|достав(?:им|ить|ят)|привез|удобн\w+ (?:врем|ден|дат)|интервал"),
    is_farewell=_heard(r"до свидания|всего (?:доброго|хорошего)|хорошего (?:дня|вечера)|до встречи"),
    is_thanks=_heard(r"спасибо|благодар"),
    affirms=_heard(
        r"^\W*(?:да\b|верно|правильно|конечно|хорошо|давайте|подходит|оформляйте|ладно|вроде бы да)"
    ),
)

_EN = Phrases(
    call_started="(The call has started.)",
    usual=" as usual",
    lines={
        "opening": {
            "calm": ("Hello! I would like to order: {items}.", "Good morning! I need: {items}."),
            "impatient": ("Right, I need: {items}. Quickly, please.",),
            "confused": ("Oh, hello... I think I need: {items}.",),
        },
        "vague": {
            "calm": ("Hello! I would like to place an order.",),
            "impatient": ("I need to order some food, and fast.",),
            "confused": ("Oh, hello... I wanted to order something, let me think.",),
        },
        "phone": {"calm": ("My phone number is {phone}.", "Sure, {phone}.")},
        "more": {"calm": ("And also: {items}.", "Yes, I need: {items}.")},
        "repeat": {
            "calm": ("I would like to order: {items}.",),
            "impatient": ("As I said: {items}.",),
            "confused": ("I am not sure I follow. I need: {items}.",),
        },
        "not_all": {"calm": ("Wait, that is not all. Also: {items}.",)},
        "quantity": {"calm": ("{qty}, please.", "I need {qty}."), "impatient": ("{qty}.",)},
        "variant": {"calm": ("This one: {items}.",)},
        "city": {"calm": ("The city is {city}.",)},
        "yes": {
            "calm": ("Yes, that is right.", "Yes, go ahead, please."),
            "confused": ("I think so, yes.",),
        },
        "change": {"calm": ("Wait, my plans have changed. Make it: {items}.",)},
        "swap": {"calm": ("Then give me instead: {items}.",)},
        "without": {"calm": ("A pity. Then I need nothing, goodbye.",)},
        "enough": {"calm": ("No, that is all.", "Nothing else, thank you.")},
        "wish": {"calm": ("I need the delivery {day}.",)},
        "suits": {"calm": ("Yes, that suits me.", "Fine, I will take it.")},
        "thanks": {"calm": ("Thank you, goodbye!",)},
        "bye": {"calm": ("Goodbye.",)},
        "gave_up": {"calm": ("Sorry, this is not working. Goodbye.",)},
    },
    asks_confirm=_heard(
        r"is (?:that|this|everything|it)(?: all)? (?:right|correct)|all correct|do you confirm|please confirm"
        r"|shall i place"
    ),
    is_placed=_heard(
        r"order[^.?!]{0,80}(?:has been|is|was) (?:placed|accepted|created)|placed (?:your|the) order"
        r"|order number|\bORD-\d"
    ),
    is_transfer=_heard(r"transfer(?:ring)? you|put(?:ting)? you through|connect(?:ing)? you"),
    is_unavailable=_heard(r"out of stock|not available|unavailable|sold out|run out"),
    asks_phone=_heard(
        r"(?:what|tell|give|may|can|could|need|share|confirm|provide)[^.?!]{0,60}(?:phone|number)"
    ),
    asks_quantity=_heard(r"how (?:many|much)|what quantity|which quantity"),
    asks_which=_heard(
        r"which (?:one|kind|of|variant|type)|do you mean|could you clarify|please clarify"
        r"|(?:not|n't) find"
    ),
    asks_city=_heard(
        r"(?:what|which|tell|your|confirm)[^.?!]{0,60}(?:city|address)|where[^.?!]{0,30}deliver"
    ),
    asks_more=_heard(
        r"anything else|something else|how (?:can|may) i help|what (?:would|do) you (?:like|want|need)"
        r"|is that all"
    ),
    asks_delivery=_heard(r"deliver|time slot|\bslot\b|convenient (?:time|day)"),
    is_farewell=_heard(r"\b(?:good ?bye|bye|have a (?:nice|good|great) day)\b"),
    is_thanks=_heard(r"\bthank"),
    affirms=_heard(r"^\W*(?:yes|right|correct|sure|fine|okay|ok|go ahead|i think so)\b"),
)
