"""Dagster's side of running stages: resources, backends, executor, run follower.

Knows how a stage is run, not what any stage does.
"""
