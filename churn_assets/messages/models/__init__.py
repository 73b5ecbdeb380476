"""Language models: base, fine-tuning, reward models, PPO on text. Needs torch."""

import logging

# In 8 bit it warns at each layer of each forward pass that inputs are cast: millions of lines, all
# of which would go to Dagster's log; and as it is loaded, of kernels that it does without. What it
# calls an error is still told.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
