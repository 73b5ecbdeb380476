"""Releases: assembled, compared with the champion, promoted, rolled back, verified.

Gathers what every area made, and may import every area below it.
"""
