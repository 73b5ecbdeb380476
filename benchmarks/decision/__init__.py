"""Decisions against the exact optimum: presets and seeds, updates, and through the service."""
