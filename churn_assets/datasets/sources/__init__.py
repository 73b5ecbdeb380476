"""Where raw files are from: the mirror folder, public hosts, the Hugging Face hub."""
