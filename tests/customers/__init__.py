"""Tests of a company's own tables."""
