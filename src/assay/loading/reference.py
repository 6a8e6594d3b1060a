"""Reference calls of a scenario, replayed on a fresh world: the state that a good outcome leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping

from assay.keys import JSON
from assay.loading.documents import Item
from assay.scorers.expectation import Expected, named
from assay.world.tools import error_code
from assay.world.world import ToolFault, World


def replayed(
    item: Item, expect: Expected, facts: Mapping[str, JSON], world: World | None
) -> tuple[JSON, dict[str, tuple[str, ...]]]:
    """The difference that the reference leaves, and the columns by table that do not count.

    Raises UsageError where there is no world, where a tool is unknown, and where a call that writes
    answers with an error (unless the scenario allows it). A call that reads may fail.
    """
    keys = ("expect", "reference")
    if world is None:
        raise item.error(keys, "there is no world to replay it on", "name a task with a world")
    overlay = world.open(facts, facts.get("START"))
    for number, call in enumerate(expect.reference):
        arguments = json.dumps(named(call.arguments, facts), ensure_ascii=False)
        try:
            value = world.call(overlay, call.tool, arguments, f"reference_{number}")
        except ToolFault as fault:
            raise item.error((*keys, number), str(fault), "mend the world's function") from None
        tool = world.tools.get(call.tool)
        failed = error_code(value)
        reads = tool is not None and tool.effect == "read"
        if failed is not None and not reads and not expect.allow_reference_errors:
            raise item.error(
                (*keys, number),
                f"{call.tool} answers {failed}: {value['error']['message']}",
                "mend the call, or set allow_reference_errors: true",
            )
    return overlay.difference(), {**world.ignored, **expect.ignored}
