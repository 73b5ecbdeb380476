"""What to write: corpus, language models, reward, the safety shield and the writer.

May import `stages`, `storage`, `orchestration` and `domain`; serving uses only shield and writing.
"""

import logging

# Here, because it must be said before the library is loaded, by whichever module. As it is loaded
# it warns of kernels that it does without; in 8 bit at each layer of each forward pass that inputs
# are cast: millions of lines, all of which would go to Dagster's log. Its errors are still told.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
