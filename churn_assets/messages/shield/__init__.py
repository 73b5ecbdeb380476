"""The rules that every message must pass before anybody reads it. No torch."""
