"""A model and a scorer that end their process at one case, in the way that POISON names."""

import ctypes
import os
import re

from assay.message import Finish, Instants, Reply, Usage
from assay.ports import Capabilities
from assay.trial import Score

CASE = "7"


def end_this_process() -> None:
    how = os.environ["POISON"]
    if how == "exit":
        os._exit(7)
    while how == "endless":
        pass
    ctypes.string_at(0)


class Adder:
    """Answers `What is N + 1?`; ends its process where N is the poisonous one."""

    name = "python:poison:model"
    capabilities = Capabilities()

    async def ask(self, request, on_read=None):
        number = re.findall(r"\d+", request.messages[-1].text)[0]
        if number == CASE:
            end_this_process()
        return Reply(
            str(int(number) + 1), finish=Finish.STOP, usage=Usage(1, 1), instants=Instants(sent=1, ended=2)
        )

    async def close(self):
        pass


class Grim:
    name, version, settings, seats = "grim", 1, None, ()

    async def score(self, trial, table):
        if trial.case.name == f"c{CASE}":
            end_this_process()
        return [Score("grim", 1.0)]


def model():
    return Adder()


def scorer():
    return Grim()
