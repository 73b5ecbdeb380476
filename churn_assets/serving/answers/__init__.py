"""Parts of an answer: its figures, and its message with what is told of it."""
