"""What is wrong with a table: refused rows, leaks, drift, and a profile of each column."""
