"""A learned thing as a program: what is declared, how it runs, what it reports.

Imports neither Dagster nor any area; an area's function is named and loaded when it runs.
"""
