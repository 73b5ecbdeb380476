"""Ways of writing a message, side by side: the rows of benchmarks/messages.json."""
