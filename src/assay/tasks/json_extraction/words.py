"""How English, Russian, German and Spanish write dates, times, numbers and fixed choices."""

from __future__ import annotations


def _listed(text: str, mark: str | None = None) -> list[str]:
    return text.split(mark)


MONTHS: dict[str, list[str]] = {
    "en": _listed("January February March April May June July August September October November December"),
    "ru": _listed("января февраля марта апреля мая июня июля августа сентября октября ноября декабря"),
    "de": _listed("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    "es": _listed("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
}

NUMBERS: dict[str, list[str]] = {
    "en": _listed(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty"
    ),
    "ru": _listed(
        "ноль одна две три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
        "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать двадцать"
    ),
    "de": _listed(
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn "
        "sechzehn siebzehn achtzehn neunzehn zwanzig"
    ),
    "es": _listed(
        "cero una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
        "dieciséis diecisiete dieciocho diecinueve veinte"
    ),
}
"""The words of 0 to 20, at their index."""

DAYS: dict[str, list[str]] = {
    "en": _listed(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
        "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first "
        "twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth "
        "twenty-ninth thirtieth thirty-first"
    ),
    "ru": _listed(
        "первого,второго,третьего,четвёртого,пятого,шестого,седьмого,восьмого,девятого,десятого,"
        "одиннадцатого,двенадцатого,тринадцатого,четырнадцатого,пятнадцатого,шестнадцатого,семнадцатого,"
        "восемнадцатого,девятнадцатого,двадцатого,двадцать первого,двадцать второго,двадцать третьего,"
        "двадцать четвёртого,двадцать пятого,двадцать шестого,двадцать седьмого,двадцать восьмого,"
        "двадцать девятого,тридцатого,тридцать первого",
        ",",
    ),
    "de": _listed(
        "ersten zweiten dritten vierten fünften sechsten siebten achten neunten zehnten elften zwölften "
        "dreizehnten vierzehnten fünfzehnten sechzehnten siebzehnten achtzehnten neunzehnten zwanzigsten "
        "einundzwanzigsten zweiundzwanzigsten dreiundzwanzigsten vierundzwanzigsten fünfundzwanzigsten "
        "sechsundzwanzigsten siebenundzwanzigsten achtundzwanzigsten neunundzwanzigsten dreißigsten "
        "einunddreißigsten"
    ),
    "es": _listed(
        "uno,dos,tres,cuatro,cinco,seis,siete,ocho,nueve,diez,once,doce,trece,catorce,quince,dieciséis,"
        "diecisiete,dieciocho,diecinueve,veinte,veintiuno,veintidós,veintitrés,veinticuatro,veinticinco,"
        "veintiséis,veintisiete,veintiocho,veintinueve,treinta,treinta y uno",
        ",",
    ),
}
"""The words of the days of a month; day 1 at index 0."""

LATER: dict[str, dict[int, str]] = {
    "en": {1: "tomorrow", 2: "the day after tomorrow", 7: "a week from today"},
    "ru": {1: "завтра", 2: "послезавтра", 7: "ровно через неделю"},
    "de": {1: "morgen", 2: "übermorgen", 7: "heute in einer Woche"},
    "es": {1: "mañana", 2: "pasado mañana", 7: "de hoy en una semana"},
}
"""Days after the day of writing, in words."""

TIMES: dict[str, tuple[str, str]] = {
    "en": ("{hour} {part}", "half past {hour} {part}"),
    "de": ("{hour} Uhr {part}", "halb {next} {part}"),
    "es": ("las {hour} {part}", "las {hour} y media {part}"),
}
"""A full hour and a half hour in words; the German half hour names the hour that follows."""

DAY_PARTS: dict[str, tuple[str, str, str]] = {
    "en": ("in the morning", "in the afternoon", "in the evening"),
    "de": ("morgens", "nachmittags", "abends"),
    "es": ("de la mañana", "de la tarde", "de la noche"),
}
"""Before noon, before six, and after."""

CHOICES: dict[str, dict[str, dict[str, str]]] = {
    "priority": {
        "low": {"en": "low", "ru": "низкий", "de": "niedrig", "es": "baja"},
        "normal": {"en": "normal", "ru": "обычный", "de": "normal", "es": "normal"},
        "high": {"en": "high", "ru": "высокий", "de": "hoch", "es": "alta"},
        "urgent": {"en": "urgent", "ru": "срочный", "de": "dringend", "es": "urgente"},
    },
    "category": {
        "billing": {"en": "billing", "ru": "оплата", "de": "Abrechnung", "es": "facturación"},
        "delivery": {"en": "delivery", "ru": "доставка", "de": "Lieferung", "es": "entrega"},
        "technical": {"en": "technical", "ru": "техника", "de": "Technik", "es": "técnica"},
        "account": {"en": "account", "ru": "учётная запись", "de": "Konto", "es": "cuenta"},
    },
    "condition": {
        "new": {"en": "new", "ru": "новое", "de": "neu", "es": "nuevo"},
        "used": {"en": "used", "ru": "б/у", "de": "gebraucht", "es": "usado"},
        "refurbished": {"en": "refurbished", "ru": "восстановленное", "de": "überholt", "es": "renovado"},
    },
    "payment": {
        "card": {"en": "card", "ru": "карта", "de": "Karte", "es": "tarjeta"},
        "transfer": {"en": "transfer", "ru": "перевод", "de": "Überweisung", "es": "transferencia"},
        "cash": {"en": "cash", "ru": "наличные", "de": "Barzahlung", "es": "efectivo"},
    },
    "incoterm": {name: {"en": name} for name in ("EXW", "FOB", "CIF", "DAP")},
    "severity": {name: {"en": name} for name in ("SEV1", "SEV2", "SEV3", "SEV4")},
    "sample": {name: {"en": name} for name in ("blood", "serum", "urine")},
    "basis": {name: {"en": name} for name in ("freehold", "leasehold")},
}
"""Fixed choices: what a schema's `enum` lists, and how each language says it."""

CURRENCIES: dict[str, dict[str, str]] = {
    "USD": {"sign": "$", "en": "US dollars", "ru": "долларов США", "de": "US-Dollar", "es": "dólares"},
    "EUR": {"sign": "€", "en": "euros", "ru": "евро", "de": "Euro", "es": "euros"},
    "GBP": {"sign": "£", "en": "pounds sterling", "ru": "фунтов", "de": "Pfund", "es": "libras"},
    "RUB": {"sign": "₽", "en": "roubles", "ru": "рублей", "de": "Rubel", "es": "rublos"},
}

LOCAL_CURRENCIES: dict[str, tuple[str, ...]] = {
    "en": ("USD", "GBP", "EUR"),
    "ru": ("RUB",),
    "de": ("EUR",),
    "es": ("EUR", "USD"),
}

SEPARATORS: dict[str, tuple[str, str]] = {
    "en": (",", "."),
    "ru": (" ", ","),
    "de": (".", ","),
    "es": (".", ","),
}
"""The thousands and the decimal mark of each language."""

LATIN = str.maketrans(
    {
        **dict(zip("абвгдезийклмнопрстуфыэёáéíóúñ", "abvgdeziiklmnoprstufyeeaeioun", strict=True)),
        "ж": "zh",
        "х": "kh",
        "ц": "ts",
        "ч": "ch",
        "ш": "sh",
        "щ": "shch",
        "ю": "yu",
        "я": "ya",
        "ь": "",
        "ъ": "",
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "ß": "ss",
        " ": "",
        "'": "",
    }
)
"""Lower-case letters as a mail address spells them."""
