"""One file per resource; `main.py` puts them together."""
