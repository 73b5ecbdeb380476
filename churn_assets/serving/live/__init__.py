"""The release in service: what the store calls the latest is followed, tried and swapped in."""
