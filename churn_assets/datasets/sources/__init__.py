"""Where raw files come from: mirror folder, public download, the project's own generator."""
