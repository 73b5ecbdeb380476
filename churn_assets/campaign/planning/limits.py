"""Contacts a day as people write them: `800`, or `email=500`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churn_assets.campaign.config import MOST_CONTACTS, Channel

DIGITS = 18  # beyond, Python may refuse to read a number


def with_contacts(channels: Mapping[str, Channel], given: Sequence[str]) -> dict[str, Channel]:
    """The channels with other contacts a day.

    Args:
        given: `channel=contacts`, or one number for all channels together, which share it in
            proportion to their own.

    Raises:
        ValueError: no number, one that is too large, one for all beside others, or no such channel.
    """
    changed = dict(channels)
    for text in given:
        name, _, number = text.rpartition("=")
        if not number.isascii() or not number.isdigit():
            raise ValueError(f"{text!r} is neither a number nor channel=number")
        if len(number) > DIGITS or int(number) > MOST_CONTACTS:
            raise ValueError(f"{text!r} is more than {MOST_CONTACTS:,} a day")
        if not name:
            if len(given) > 1:
                raise ValueError(f"{text!r} is for all channels: give it alone, or each its own")
            return _shared(channels, int(number))
        if name not in channels:
            raise ValueError(f"there is no channel {name!r}, but {', '.join(channels)}")
        changed[name] = channels[name].model_copy(update={"contacts_a_day": int(number)})
    return changed


def _shared(channels: Mapping[str, Channel], total: int) -> dict[str, Channel]:
    """`total` in proportion, by largest remainders; evenly where all channels have none."""
    own = {name: channel.contacts_a_day for name, channel in channels.items()}
    whole = sum(own.values())
    shares = {name: total * n / whole if whole else total / len(own) for name, n in own.items()}
    parts = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: parts[name] - shares[name])
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return {
        name: channel.model_copy(update={"contacts_a_day": parts[name]})
        for name, channel in channels.items()
    }
