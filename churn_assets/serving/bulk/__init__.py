"""Many customers at once: a batch of requests, a table scored in streaming batches, its book."""
