"""The stages on a tiny model: what each leaves behind, and what it may not change."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer, OPTConfig, OPTForCausalLM

from churn_assets.messages.config import (
    BaseModelConfig,
    MessagesConfig,
)
from churn_assets.messages.corpus.pairs import spread
from churn_assets.messages.corpus.prompts import Situation
from churn_assets.messages.models import ppo_stage, sft
from churn_assets.messages.models.base_model import copy_pretrained
from churn_assets.messages.models.encoding import encode_dialogues, encode_prompts
from churn_assets.messages.models.language_model import (
    Samples,
    activate,
    features,
    head_width,
    last_hidden,
    load_base,
    sample,
    tempered_logits,
)
from churn_assets.messages.models.model_card import write_model_card
from churn_assets.messages.models.ppo_formulas import (
    exact_kl,
    log_probs,
)
from churn_assets.messages.models.ppo_text import (
    POLICY,
    REFERENCE,
    REWARD,
    PpoText,
    Scorer,
)
from churn_assets.messages.models.reward import JUDGE
from churn_assets.messages.models.scoring import load_head, scores
from churn_assets.messages.profiles import messages_config
from churn_assets.messages.shield.slots import SLOT_TOKENS
from churn_assets.messages.shield.validation import Shield
from churn_assets.messages.writing.live import LiveModel, ReleasedModel, copy_for_live
from churn_assets.messages.writing.writer import MessageWriter
from tests.messages.briefs import RENDERER, SAM
from tests.messages.conftest import TINY, Chain

CARD_WEIGHTS = "sft/adapter_model.safetensors"
REVISION = "0123456789abcdef0123456789abcdef01234567"


def trainer(chain: Chain) -> PpoText:
    model, tokenizer = ppo_stage.load_adapters(chain.folders, TINY)
    head = load_head(chain.folders["reward_model"], REWARD, head_width(model))
    return PpoText(model, tokenizer, Scorer(head, Shield.load()), TINY.ppo, TINY.generation)


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_every_slot_is_one_token_and_the_projection_is_real(chain: Chain) -> None:
    """Why: a slot in pieces can be garbled; opt-350m's projection must be met in tests."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    assert all(len(tokenizer(slot).input_ids) == 1 for slot in SLOT_TOKENS)
    text = "Hi {name}, enjoy {offer} off for {months}."
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert model.config.word_embed_proj_dim != model.config.hidden_size
    assert head_width(model) == model.config.word_embed_proj_dim == 16


def test_padding_on_either_side_changes_nothing(chain: Chain) -> None:
    """Why: left padding without a mask moved logits by 0.57 once."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    model.eval()
    prompts = ["0% new monthly warm nothing:\n", "hello:\n"]
    left, left_mask = encode_prompts(tokenizer, prompts)
    for row, prompt in enumerate(prompts):
        alone = torch.tensor([tokenizer(prompt).input_ids])
        expected = last_hidden(model, alone, torch.ones_like(alone))[0, -1]
        found = last_hidden(model, left, left_mask)[row, -1]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    right = encode_dialogues(tokenizer, prompts, ["Hi {name}.", "Hi {name}."], 64)
    for row, prompt in enumerate(prompts):
        single = encode_dialogues(tokenizer, [prompt], ["Hi {name}."], 64)
        alone, mask, length = single.ids, single.mask, single.ids.shape[1]
        found = last_hidden(model, right.ids, right.mask)[row, :length]
        torch.testing.assert_close(found, last_hidden(model, alone, mask)[0], atol=1e-5, rtol=1e-4)


def test_log_probabilities_do_not_depend_on_the_padding_side(chain: Chain) -> None:
    """Why: PPO's ratio compares probabilities that were computed in different batches."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    model.eval()
    answer = tokenizer("Hi {name}, hello.", add_special_tokens=False).input_ids
    prompt = tokenizer("short:\n").input_ids
    found = []
    for left, right in ((0, 0), (5, 0), (0, 5), (3, 4)):
        padding = [tokenizer.pad_token_id]
        ids = torch.tensor([padding * left + prompt + answer + padding * right])
        places = torch.arange(ids.shape[1])
        mask = ((places >= left) & (places < ids.shape[1] - right)).long()[None]
        samples = Samples(ids, mask, left + len(prompt), [""], lambda: [[]])
        logits = tempered_logits(model, features(model, samples), TINY.generation)
        found.append(log_probs(logits, ids[:, samples.prompt_width :])[:, : len(answer)])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], atol=1e-5, rtol=1e-4)


def test_mean_pooling_ignores_padding(chain: Chain) -> None:
    """Why: a score must not depend on the company in its batch."""
    made = trainer(chain)
    activate(made.model, REWARD)
    made.model.eval()
    prompts, texts = ["a:\n", "a:\n"], ["Hi {name}.", "Hi {name}, " + "we value you. " * 4]
    together = encode_dialogues(made.tokenizer, prompts, texts, 64)
    alone = encode_dialogues(made.tokenizer, prompts[:1], texts[:1], 64)
    both = scores(made.model, made.scorer.head, together)
    one = scores(made.model, made.scorer.head, alone)
    torch.testing.assert_close(both[:1], one, atol=1e-5, rtol=1e-4)


def test_ppo_changes_policy_and_value_head_and_nothing_else(chain: Chain) -> None:
    """Why: a reference that moves makes KL meaningless, a reward that moves makes all of it."""
    made = trainer(chain)
    before, value_before = weights(made.model), weights(made.value_head)
    made.iterate(0)
    for name, value in made.model.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed == (f".{POLICY}." in name), name
    assert not torch.equal(made.value_head.state_dict()["0.weight"], value_before["0.weight"])


def test_whole_logits_teach_what_tiles_of_them_teach(chain: Chain, tmp_path: Path) -> None:
    assert not TINY.sft.whole_logits
    whole = TINY.model_copy(update={"sft": TINY.sft.model_copy(update={"whole_logits": True})})
    sft.run(dict(chain.folders), tmp_path, whole)
    by_tiles = load_file(chain.folders["sft_model"] / CARD_WEIGHTS)
    found = load_file(tmp_path / CARD_WEIGHTS)
    assert found.keys() == by_tiles.keys()
    for name, weight in found.items():
        torch.testing.assert_close(weight, by_tiles[name], rtol=1e-3, atol=1e-6)
    assert any(weight.abs().sum() > 0 for name, weight in found.items() if "lora_B" in name)


def test_policy_starts_as_the_reference(chain: Chain) -> None:
    """Why: KL(policy || SFT) is 0 before the first update, and only then."""
    made = trainer(chain)
    samples = sample(made.model, made.tokenizer, ["a:\n"] * 4, TINY.generation, 1)
    both = []
    for adapter in (POLICY, REFERENCE):
        activate(made.model, adapter)
        made.model.eval()
        hidden = features(made.model, samples)
        both.append(tempered_logits(made.model, hidden, TINY.generation))
    assert exact_kl(both[0], both[1]).abs().max() < 1e-6


def test_a_reference_that_is_not_the_start_is_an_error(chain: Chain) -> None:
    """Why: KL to the wrong reference steers beta silently."""
    made = trainer(chain)
    for name, parameter in made.model.named_parameters():
        if f".{REFERENCE}." in name and "lora_B" in name:
            parameter.data += 1.0
    with pytest.raises(FloatingPointError, match="iteration 0"):
        made.iterate(0)


def test_activation_leaves_frozen_what_is_not_trained(chain: Chain) -> None:
    """Why: PEFT's own switch makes the adapter that it activates trainable."""
    made = trainer(chain)
    activate(made.model, REFERENCE)
    assert not any(p.requires_grad for p in made.model.parameters())
    activate(made.model, POLICY, trainable=True)
    trained = [name for name, p in made.model.named_parameters() if p.requires_grad]
    assert trained
    assert all("lora" in name and f".{POLICY}." in name for name in trained)


def test_reports_have_what_the_checks_and_the_release_read(chain: Chain) -> None:
    """Why: a renamed figure would fail the graph only at its very end."""
    figures = chain.reports["message_bank"]["messages"]
    assert set(figures) == {
        "base_model", "sft_pass_rate", "ppo_pass_rate", "served_pass_rate", "rm_accuracy",
        "rm_accuracy_by_flaw", "reward_gain", "reward_gain_lower", "reward_gain_second_rm",
        "win_rate", "kl", "kl_target", "distinct2_ratio", "served_by_model",
        "served_method", "served_because", "best_method", "methods", "served_by_grammar",
        "win_rate_judge", "judge_rm_correlation", "rm_accuracy_by_source", "rm_cut_share_by_source",
        "failed_gates", "min_p", "sft_pass_rate_without_min_p", "ppo_pass_rate_without_min_p",
    }  # fmt: skip
    assert chain.reports["message_bank"]["served_pass_rate"] == 1.0


def test_model_cards_tell_the_data_that_were_there(chain: Chain, tmp_path: Path) -> None:
    """Why: a card with a fixed sentence is wrong on the first other data set."""
    cards = {
        name: (chain.folders[name] / "README.md").read_text(encoding="utf-8")
        for name in ("message_base_model", "sft_model", "reward_model", "ppo_text_model")
    }
    assert "| retention_messages | grammar | 300 | 60 |" in cards["sft_model"]
    assert "| oasst1_pairs | mirror | 3 | 3 |" in cards["sft_model"]
    assert "| retention_preferences | grammar | 150 | 60 |" in cards["message_base_model"]
    assert "| preference_pairs | mirror | 3 | 3 |" in cards["reward_model"]
    assert all("not yet run" in card for card in cards.values())
    write_model_card(tmp_path, "PPO-Text policy", messages_config("production"), {}, {})
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "None of its own" in card
    assert "not yet run" not in card
    digest = hashlib.sha256((chain.folders["sft_model"] / CARD_WEIGHTS).read_bytes()).hexdigest()
    assert digest in cards["sft_model"]


def test_public_texts_are_never_shown(chain: Chain) -> None:
    """Why: some public preference texts are offensive; they are data, not documentation."""
    for name in ("sft_model", "reward_model", "ppo_text_model", "message_bank"):
        for path in chain.folders[name].rglob("*"):
            if path.suffix in (".json", ".md"):
                assert "Go away." not in path.read_text(encoding="utf-8")


def test_no_pickles_are_left_behind(chain: Chain) -> None:
    """Why: loading a pickle runs its code."""
    found = {path.suffix for folder in chain.folders.values() for path in folder.rglob("*.*")}
    assert not found & {".bin", ".pt", ".pth", ".pkl", ".joblib"}


def test_live_model_writes_the_same_candidates_for_the_same_seed(
    chain: Chain, tmp_path: Path
) -> None:
    """Why: live generation stands behind the same promise as the bank."""
    names = ("message_base_model", "ppo_text_model", "reward_model")
    copy_for_live(*(chain.folders[name] for name in names), tmp_path / "live")
    model = ReleasedModel.load(tmp_path / "live", TINY.generation, candidates=4)
    first = model.candidates(SAM, "C1:r1")
    assert first == model.candidates(SAM, "C1:r1")
    assert [t.score for t in first] == sorted((t.score for t in first), reverse=True)
    assert MessageWriter(Shield.load(), RENDERER, model).write(SAM, "C1:r1").verdict.passed
    with pytest.raises(TimeoutError):
        model.candidates(SAM, "C1:r1", until=time.monotonic() - 1)


def test_merged_weights_are_the_adapters(chain: Chain, tmp_path: Path) -> None:
    """Why: what is asked on the spot must write and judge as what was trained and gated."""
    inputs = [chain.folders[n] for n in ("message_base_model", "ppo_text_model", "reward_model")]
    copy_for_live(*inputs, tmp_path / "live")
    merged = ReleasedModel.load(tmp_path / "live", TINY.generation, candidates=4)
    adapted = LiveModel.load(*inputs, TINY.generation)
    situation, text = Situation.of(SAM), "Hello {name}, thank you. Enjoy {offer} off for {months}."
    written = encode_dialogues(merged.tokenizer, [situation.prompt], [text], 64)
    for name, model in (("policy", merged.policy), ("reward", merged.reward)):
        activate(adapted.model, name)
        expected = last_hidden(adapted.model, written.ids, written.mask)
        found = last_hidden(model, written.ids, written.mask)
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    [expected_score] = adapted.score([text], [situation])
    assert scores(merged.reward, merged.head, written, merged.base).item() == pytest.approx(
        expected_score, abs=1e-4
    )


@pytest.fixture
def opt_folder(tmp_path: Path, chain: Chain) -> Path:
    """A small OPT checkpoint as a hub would hold it, without a padding token in its config."""
    torch.manual_seed(3)
    tokenizer = AutoTokenizer.from_pretrained(chain.folders["message_base_model"])
    config = OPTConfig(
        vocab_size=len(tokenizer), hidden_size=32, word_embed_proj_dim=16, ffn_dim=32,
        num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=64,
        do_layer_norm_before=False, bos_token_id=0, eos_token_id=2, pad_token_id=None,
    )  # fmt: skip
    folder = tmp_path / "opt"
    OPTForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_base_model_from_a_folder(opt_folder: Path, tmp_path: Path) -> None:
    """Why: a company's own checkpoint takes the place of the hub's."""
    out = tmp_path / "out"
    metrics = copy_pretrained(BaseModelConfig(source=str(opt_folder)), out)
    model, tokenizer = load_base(out, eight_bit=False)
    assert metrics["parameters"] == model.num_parameters()
    assert model.config.pad_token_id == tokenizer.pad_token_id == 1
    assert head_width(model) == 16


def test_base_model_from_the_hub_by_its_pinned_revision(
    opt_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: the real hub code path, offline, from a cache laid out as the hub lays it out."""
    import huggingface_hub.constants

    snapshot = tmp_path / "cache" / "models--team--opt-mini" / "snapshots" / REVISION
    snapshot.parent.mkdir(parents=True)
    opt_folder.rename(snapshot)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    config = BaseModelConfig(source="team/opt-mini", revision=REVISION)
    assert copy_pretrained(config, tmp_path / "out")["parameters"] > 0
    missing = BaseModelConfig(source="team/opt-mini", revision="f" * 40)
    with pytest.raises(OSError, match="opt-mini"):
        copy_pretrained(missing, tmp_path / "other")


def test_hub_models_must_be_pinned() -> None:
    """Why: a branch name gives other weights tomorrow."""
    for revision in (None, "main", "z" * 40, "F" * 40):
        with pytest.raises(ValueError, match="commit hash"):
            BaseModelConfig(source="facebook/opt-350m", revision=revision)
    production = messages_config("production").base
    assert production.eight_bit
    assert len(production.revision or "") == 40


@pytest.mark.skipif(torch.cuda.is_available(), reason="tells of machines without CUDA")
def test_eight_bit_without_cuda_is_refused(chain: Chain) -> None:
    """Why: the alternative is a 32-bit model that claims to be quantised."""
    with pytest.raises(RuntimeError, match="EIGHT_BIT=false"):
        load_base(chain.folders["message_base_model"], eight_bit=True)


def test_judge_and_reward_model_differ(chain: Chain) -> None:
    """Why: a second opinion from the same model is none."""
    folder = chain.folders["reward_model"]
    heads: list[dict[str, Any]] = [
        load_file(folder / f"{n}_head.safetensors") for n in (REWARD, JUDGE)
    ]
    assert not torch.equal(heads[0]["linear.weight"], heads[1]["linear.weight"])


def test_public_pairs_are_drawn_evenly_from_their_sources() -> None:
    """Why: the files are sorted by source, and their beginning is one source only."""
    rows = [{"source": "a", "n": i} for i in range(50)] + [
        {"source": "b", "n": i} for i in range(3)
    ]
    drawn = spread(rows, 10, seed=1)
    assert sorted(row["source"] for row in drawn) == ["a"] * 7 + ["b"] * 3
    assert drawn == spread(rows, 10, seed=1) != spread(rows, 10, seed=2)
    assert len(spread(rows, 100, seed=1)) == 53


def test_settings_are_frozen_and_closed() -> None:
    """Why: a misspelt setting must not be ignored."""
    with pytest.raises(ValueError, match="stepz"):
        MessagesConfig.model_validate({"sft": {"stepz": 1}})
