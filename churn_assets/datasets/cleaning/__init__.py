"""From a source's raw files to clean rows: one module for each data set."""
