"""Judge and reward model against messages rated by reading (docs/ratings.md).

    python -m benchmarks.messages.ratings [--work FOLDER]

FOLDER: of a chain (`message_base_model`, `ppo_text_model`, `reward_model` in it), whose reward
model is held against the ratings beside the judge. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.messages.agreement import agreement, held_out_scores, pair_accuracy
from churn_assets.messages.config import GenerationConfig
from churn_assets.messages.judging.agreement import correlation
from churn_assets.messages.judging.ratings import read_ratings
from churn_assets.messages.writing.live import LiveModel


def reward_model(folder: Path) -> dict[str, Any]:
    """The chain's reward model on all ratings, which it never saw, and its way with the judge."""
    model = LiveModel.load(
        folder / "message_base_model",
        folder / "ppo_text_model",
        folder / "reward_model",
        GenerationConfig(),
    )
    rated = read_ratings()
    scores = np.array(model.score([one.text for one in rated], [one.situation for one in rated]))
    ratings = np.array([one.rating for one in rated], np.float64)
    sources = np.array([one.source for one in rated])
    judged, _ = held_out_scores(rated)
    return {
        **pair_accuracy(scores, rated),
        "correlation": correlation(scores, ratings),
        "correlation_with_judge": correlation(scores, judged),
        "by_source": {
            str(source): float(scores[sources == source].mean()) for source in sorted(set(sources))
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path)
    asked = parser.parse_args()
    found = {"judge": agreement(read_ratings())}
    if asked.work:
        found["reward_model"] = reward_model(asked.work)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
