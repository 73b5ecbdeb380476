"""Who is contacted, with what, when, and in which words, under limits that customers share."""
