"""Asset checks: one file for each area, all attached by `attach.py`.

May import every area and Dagster; nothing of the product but its definitions imports them.
"""
