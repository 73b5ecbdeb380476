"""Names and sizes of the splits: 80 % to learn from, 10 % to choose by, 10 % to be judged on.

They are part of the product's contract, so they are no settings.
"""

from typing import Literal, get_args

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

SPLIT_SEED = 42
VALID_FRACTION = 0.1
TEST_FRACTION = 0.1
