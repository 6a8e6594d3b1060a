"""What a guard needs is there before the first line of a call."""

from assay.agenda import Brief, GoalItem
from assay.exchanges.conversation.clients import Said
from assay.exchanges.conversation.guard import patterns
from assay.exchanges.conversation.guarded import Watch, warmed
from assay.exchanges.conversation.loops import Spoken


def test_a_usual_line_compiles_hardly_anything_after_the_guard_is_warmed():
    patterns.one.cache_clear()
    patterns.each.cache_clear()
    warmed()
    before = patterns.one.cache_info().misses + patterns.each.cache_info().misses
    assert before > 40
    watch = Watch(Brief((GoalItem(name="филе", qty=3),)), {}, "Вы продаёте.", "Вы покупаете.")
    lines = (Spoken("agent", "Здравствуйте, что желаете?"),)
    for line in ("Добрый день, мне филе, три килограмма.", "Как можно быстрее, пожалуйста.", "Спасибо, всё."):
        watch.faults(lines, Said(line))
    after = patterns.one.cache_info().misses + patterns.each.cache_info().misses
    assert after - before <= 3
