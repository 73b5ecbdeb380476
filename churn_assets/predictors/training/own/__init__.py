"""The risk model of a company's own customers: features, method and gates from their contract."""
