"""The exact optimum by dynamic programming, and policies' exact values, in numpy."""
