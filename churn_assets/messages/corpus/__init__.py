"""Training texts by a grammar: messages with slots, and pairs with one named flaw."""
