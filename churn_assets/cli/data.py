"""`churn data`: fetch the public sources, copy artifacts to the bucket."""
