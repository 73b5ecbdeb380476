"""Tables as a company has them: CSV in any dialect, Parquet, folders, buckets, SQL."""
