"""The public data sets: fetched, checked, cleaned, split and written; or generated.

May import `orchestration`, `storage` and `domain`; of the product, nothing that learns from data.
"""
