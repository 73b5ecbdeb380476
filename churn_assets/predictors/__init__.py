"""How likely a customer is to leave, and to accept each offer: training and scoring.

May import `datasets` and what lies below.
"""
