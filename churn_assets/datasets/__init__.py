"""Public data sets: found, verified, cleaned, split and written with their digests."""
