"""The one way out: every request to an address that a caller named goes through here (ADR 0013)."""

from adapters.outbound.client import GuardedClient, OutboundLimits
from adapters.outbound.policy import AddressPolicy
from adapters.outbound.webhooks import SignedWebhooks

__all__ = ["AddressPolicy", "GuardedClient", "OutboundLimits", "SignedWebhooks"]
