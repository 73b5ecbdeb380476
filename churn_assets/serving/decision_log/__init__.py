"""What was decided for whom, with which probability: kept, so that it can be judged later."""
