"""Every figure of `make bench`: each a ratio to a named peer, or to a limit, of the same run."""
