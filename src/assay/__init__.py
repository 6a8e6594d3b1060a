"""assay: tells whether a model, a prompt or an agent is good enough, fast enough and cheap enough."""

__version__ = "0.1.0"
