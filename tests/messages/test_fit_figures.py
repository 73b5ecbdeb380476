"""The reward model's figures of fit: full marks for one that knows the shield, chance for one that
counts letters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from churn_assets.messages.config import MessagesConfig
from churn_assets.messages.corpus.comparisons import RIGHT_OVER_WRONG
from churn_assets.messages.corpus.corpus import SOURCE
from churn_assets.messages.corpus.pairs import Pair
from churn_assets.messages.corpus.prompts import situations
from churn_assets.messages.models import reward_evaluation
from churn_assets.messages.models.evaluation import fits
from churn_assets.messages.models.language_model import activate, head_width
from churn_assets.messages.models.ppo_evaluation import Side, clean_variety_ratio, write_side
from churn_assets.messages.models.ppo_stage import load_adapters
from churn_assets.messages.models.ppo_text import POLICY, REWARD
from churn_assets.messages.models.reward import JUDGE
from churn_assets.messages.models.scoring import load_head, scores
from churn_assets.messages.shield.validation import Shield
from tests.messages.conftest import TINY, Chain

SHIELD = Shield.load()
SITUATIONS = situations()


def figures(monkeypatch: pytest.MonkeyPatch, score: Any) -> dict[str, Any]:
    """`fit_figures` of a model that scores (prompt, text) so."""

    def margins(
        model: Any, tokenizer: Any, head: Any, pairs: Sequence[Pair], _: Any
    ) -> list[float]:
        return [score(p.prompt, p.chosen) - score(p.prompt, p.rejected) for p in pairs]

    monkeypatch.setattr(reward_evaluation, "_margins", margins)
    nothing: Any = None
    return reward_evaluation.fit_figures(nothing, nothing, nothing, MessagesConfig())


def test_a_score_that_knows_the_shield_sees_every_wrong_fact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Why: the figure must be able to reach its bound."""

    def fit(prompt: str, text: str) -> float:
        return float(fits(SHIELD, [text], [SITUATIONS[prompt]])[0])

    found = figures(monkeypatch, fit)
    assert found["right_over_wrong_by_kind"]["fact"]["share"] == 1.0
    assert found["reason_over_none"] == 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_length_gives_no_wrong_part_away(monkeypatch: pytest.MonkeyPatch, sign: int) -> None:
    """Why: a wrong fact that was added to a message lost by its length alone."""
    found = figures(monkeypatch, lambda prompt, text: sign * float(len(text)))
    for kind in RIGHT_OVER_WRONG:
        assert found["right_over_wrong_by_kind"][kind]["share"] < 0.65, kind


def test_the_report_has_every_figure_with_its_interval(chain: Chain) -> None:
    """Why: the gates read them."""
    report = chain.reports["reward_model"]
    for name in ("right_over_wrong", "reason_over_none", "reviewed_over_bare"):
        assert report[f"{name}_lower"] <= report[name] <= report[f"{name}_upper"]
    kinds = report["right_over_wrong_by_kind"]
    assert set(kinds) == set(RIGHT_OVER_WRONG)
    mean = sum(kind["share"] for kind in kinds.values()) / len(kinds)
    assert report["right_over_wrong"] == pytest.approx(mean)
    width = kinds["fact"]["share_upper"] - kinds["fact"]["share_lower"]
    assert width < 3 / TINY.reward.comparisons**0.5
    # The second model is asked about messages as a whole, and judged by the same pairs.
    second = report["judge"]
    assert second["test_pairs"] == report["test_pairs"]
    assert second["accuracy_lower"] <= second["accuracy"] <= second["accuracy_upper"]
    assert set(second["accuracy_by_source"]) == {SOURCE}
    written = chain.reports["ppo_text_model"]
    for name in ("fit_rate", "sft_fit_rate"):
        assert 0 <= written[f"{name}_lower"] <= written[name] <= written[f"{name}_upper"] <= 1


def side(texts: list[str], passed: list[bool]) -> Side:
    return Side([], texts, passed, {})


def test_garble_is_no_variety_on_either_side() -> None:
    """Why: an SFT that garbles more made PPO-Text's variety look as if it had collapsed."""
    clean = ["Your phone is in good hands.", "We gladly help with your streaming."]
    garbled = [*clean, "Yuor phnoe si in gdoo hadns.", "Help your with gladly."]
    passed = [True, True, True, False]
    assert clean_variety_ratio(side(garbled, passed), side(clean, [True] * 2)) == 1.0
    same = [clean[0], clean[0]]
    assert clean_variety_ratio(side(garbled, passed), side(same, [True] * 2)) < 0.6
    assert clean_variety_ratio(side(garbled, [False] * 4), side(clean, [True] * 2)) == 0.0


def test_each_reward_model_judges_a_side_as_it_would_alone(chain: Chain) -> None:
    """Why: what the prompts say for the words is asked once for both; were it one model's own, the
    second would judge by what the first was told."""
    model, tokenizer = load_adapters(chain.folders, TINY)
    width = head_width(model)
    heads = {
        name: load_head(chain.folders["reward_model"], name, width) for name in (REWARD, JUDGE)
    }
    asked = list(SITUATIONS.values())[:6]
    side = write_side(model, tokenizer, POLICY, heads, SHIELD, asked, TINY)
    for name, head in heads.items():
        activate(model, name)
        with torch.no_grad():
            alone = [scores(model, head, samples.dialogues) for samples in side.sampled]
        torch.testing.assert_close(side.scores[name], torch.cat(alone).double())
    assert not torch.equal(side.scores[REWARD], side.scores[JUDGE])
