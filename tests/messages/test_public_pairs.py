"""Public preferences are long: what is cut of them, and what the report says of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from peft import PeftModel

from churn_assets.messages.corpus.pairs import Pair, read_pairs
from churn_assets.messages.models import reward
from churn_assets.messages.models.embedded.tokenizer import train_tokenizer
from churn_assets.messages.models.encoding import encode_dialogues
from churn_assets.messages.models.language_model import load_base, with_new_adapter
from churn_assets.messages.models.reward import REWARD
from churn_assets.messages.models.reward_evaluation import cut_shares
from churn_assets.messages.profiles import messages_config
from tests.messages.conftest import TINY, Chain

PROMPT = "My phone broke.\n\nAssistant: I am sorry.\n\nHuman: What now?"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_tokenizer([PROMPT], 300)


def kept(tokenizer: Any, prompt: str, response: str, length: int) -> list[int]:
    found = encode_dialogues(tokenizer, [prompt], [response], length)
    ids, mask = found.ids, found.mask
    found: list[int] = ids[0][mask[0].bool()].tolist()
    return found


def test_of_a_long_dialogue_the_beginning_is_cut(tokenizer: Any) -> None:
    """Why: the answer is what is compared, and the last question is what it answers."""
    prompt, response = PROMPT * 20, "Take it to the shop."
    found = kept(tokenizer, prompt, response, 64)
    ending = [*tokenizer(response).input_ids, tokenizer.eos_token_id]
    assert len(found) == 64
    assert found[-len(ending) :] == ending
    assert found[: -len(ending)] == tokenizer(prompt).input_ids[-(64 - len(ending)) :]


@pytest.mark.parametrize("prompt", ["", "Hm?", PROMPT])
def test_a_response_is_cut_only_where_it_does_not_fit(tokenizer: Any, prompt: str) -> None:
    """Why: a response is compared by its end too; a few tokens of the prompt stay before it."""
    asked = tokenizer(prompt).input_ids
    for count in range(20, 70):
        response = "x" * count
        said = tokenizer(response).input_ids
        found = kept(tokenizer, prompt, response, 64)
        assert found[-1] == tokenizer.eos_token_id
        assert len(found) == min(64, len(asked) + len(said) + 1)
        room = 63 - min(7, len(asked))
        assert found[-1 - min(len(said), room) : -1] == said[:room]


def test_reports_tell_how_many_pairs_are_cut(tokenizer: Any) -> None:
    """Why: an accuracy on texts of which the end is missing is none of the texts' own."""
    long = "word " * 60
    pairs = [
        Pair("Hm?", "Yes.", "No.", "shp-2", None),
        Pair("Hm?", "Yes.", long, "shp-2", None),
        Pair(long, "Yes.", "No.", "hh-rlhf", None),
    ]
    assert cut_shares(tokenizer, pairs, 64) == {"hh-rlhf": 1.0, "shp-2": 0.5}
    exact = len(tokenizer("Hm?").input_ids) + len(tokenizer(long).input_ids) + 1
    assert cut_shares(tokenizer, pairs[:2], exact) == {"shp-2": 0.0}
    assert cut_shares(tokenizer, pairs[:2], exact - 1) == {"shp-2": 0.5}


def test_the_reward_models_report_and_card_have_every_source(chain: Chain) -> None:
    """Why: public texts are another task than the grammar's; few pairs are a wide interval."""
    for report in (chain.reports["reward_model"], chain.reports["reward_model"]["judge"]):
        sources = report["accuracy_by_source"]
        assert sources.keys() == report["cut_share_by_source"].keys()
        for name, accuracy in sources.items():
            of = report["interval_by_source"][name]
            assert of["accuracy_lower"] <= of["accuracy"] == accuracy <= of["accuracy_upper"]
    card = (chain.folders["reward_model"] / "README.md").read_text(encoding="utf-8")
    for name in sources:
        assert f"| {name} | " in card


@pytest.mark.parametrize("profile", ["pretrained", "production"])
def test_public_pairs_are_read_up_to_512_tokens(profile: Any) -> None:
    """Why: at 96 tokens 85 % of them were cut."""
    assert messages_config(profile).reward.max_length >= 512


def test_a_batch_in_parts_is_learnt_from_as_a_whole(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a gradient through 8,192 tokens of SmolLM2 takes 13 GB, and the result must not depend
    on how it is taken."""

    def head_of(memory: int) -> torch.Tensor:
        monkeypatch.setattr(reward, "MEMORY", memory)
        model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
        torch.manual_seed(1)
        adapted = with_new_adapter(model, TINY.lora, REWARD)
        pairs = read_pairs(chain.folders, TINY, "train")[:40]
        head = reward.train_reward(adapted, tokenizer, REWARD, pairs, TINY, seed=1)
        return head.linear.weight

    torch.testing.assert_close(head_of(1), head_of(3 * 2**30), atol=1e-5, rtol=1e-4)


def test_a_card_takes_what_its_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why: in production a step's 32 pairs were taken one or two at a time on a card of 24 GB, by a
    bound that was meant for a processor and as if no activation were computed again."""
    opt = SimpleNamespace(hidden_size=1024, num_hidden_layers=24)
    card = SimpleNamespace(total_memory=int(22.5 * 2**30))

    def together(length: int, *, again: bool) -> int:
        base = SimpleNamespace(config=opt, is_gradient_checkpointing=again)
        model = SimpleNamespace(get_base_model=lambda: base)
        return reward._pairs_together(cast("PeftModel", model), length)

    assert [together(length, again=False) for length in (96, 512)] == [7, 1]
    assert [together(length, again=True) for length in (96, 512)] == [85, 16]
    monkeypatch.setattr(reward, "device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda of: card)
    assert [together(length, again=False) for length in (96, 512)] == [13, 2]
    assert [together(length, again=True) for length in (96, 512)] == [160, 30]


def test_a_finished_training_looks_at_no_pair_again(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a judge that was done was made to read all of its pairs again at each retry, minutes in
    production, to throw away what it read. A fitted head is loaded, too, not fitted again."""
    settings = TINY.reward.model_copy(update={"probe": True})
    config = TINY.model_copy(update={"reward": settings})
    pairs = read_pairs(chain.folders, TINY, "train")[:40]

    def trained() -> reward.RewardHead:
        model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
        torch.manual_seed(1)
        adapted = with_new_adapter(model, TINY.lora, REWARD)
        return reward.train_reward(
            adapted, tokenizer, REWARD, pairs, config, seed=1, checkpoints=tmp_path
        )

    first = trained()
    monkeypatch.setattr(reward, "encode_pairs", None)
    again = trained()
    assert again.last_word
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
