"""Fitting, calibrating and evaluating the two boosters. Needs XGBoost and pandas."""
