"""From a customer's features to calibrated probabilities and reasons. numpy only."""
