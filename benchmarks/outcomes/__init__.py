"""How well effects are found, and what is learnt of answers, where the truth is known."""
