"""`churn customers`, and customers from a file for `churn predict`."""
