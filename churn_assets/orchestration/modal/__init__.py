"""Stages on Modal: the backend, its calls, and the record of calls that may still be running."""
