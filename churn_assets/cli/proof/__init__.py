"""`churn experiment`, `outcomes` and `simulate`: what contacting brings, and how that is shown."""
