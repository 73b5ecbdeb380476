"""Customer retention as one Dagster asset graph."""
