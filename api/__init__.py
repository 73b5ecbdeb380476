"""HTTP only: the app, its routes, security and the console page.

Asks `churn_assets.serving` for every answer; nothing in `churn_assets` imports it.
"""
