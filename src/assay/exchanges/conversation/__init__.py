"""An agent and a customer talk by turns; the agent works with tools over a world."""

from assay.exchanges.conversation.exchange import Conversation
from assay.exchanges.conversation.settings import Limits, Settings, WebhookSettings

__all__ = ["Conversation", "Limits", "Settings", "WebhookSettings"]
