"""From a brief to a message: bank of templates, writer, reviewed fall-backs, gates."""
