"""The rule-following customer that both the simulation and the emulator use."""

from assay.agenda.brief import Brief, Change, GoalItem, Known, Sheet, Swap, brief_of, goal_of
from assay.agenda.customer import Line, Move, Reason, next_move
from assay.agenda.phrases import Phrases, phrases_of

__all__ = [
    "Brief",
    "Change",
    "GoalItem",
    "Known",
    "Line",
    "Move",
    "Phrases",
    "Reason",
    "Sheet",
    "Swap",
    "brief_of",
    "goal_of",
    "next_move",
    "phrases_of",
]
