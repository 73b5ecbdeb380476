"""The contact ledger: who was contacted when, with what, and what they answered."""
