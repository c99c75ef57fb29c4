"""The ways to the channels: one module for each, all behind `deliver`."""

from services.notifier.senders.dispatch import deliver

__all__ = ["deliver"]
