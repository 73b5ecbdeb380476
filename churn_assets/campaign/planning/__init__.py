"""From options to a plan: the most value under money and places that customers share."""
