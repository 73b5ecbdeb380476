"""From outcomes back to what decisions rest on: how customers respond, and what a contact does."""
