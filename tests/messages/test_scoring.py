"""What the reward model's head sees: the mean state, and what the prompt says for the words."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from churn_assets.messages.config import RewardConfig
from churn_assets.messages.corpus.pairs import Pair
from churn_assets.messages.corpus.prompts import Situation, contrary, without_topic
from churn_assets.messages.models import encoding
from churn_assets.messages.models.encoding import TOPICS, Dialogues, encode_dialogues, worded
from churn_assets.messages.models.language_model import (
    SFT,
    activate,
    head_width,
    last_hidden,
    load_base,
    sample,
    speaking,
)
from churn_assets.messages.models.reward import JUDGE, REWARD, run, seen_before, train_and_evaluate
from churn_assets.messages.models.scoring import (
    EXPECTED,
    FOR,
    LEAST,
    MOST,
    NATS,
    RewardHead,
    evidence,
    load_head,
    relevance,
    scores,
)
from churn_assets.messages.writing.live import LiveModel, ReleasedModel, copy_for_live
from tests.messages.briefs import brief
from tests.messages.conftest import TINY, Chain

SITUATION = Situation(10, "new", "One year", ("internet", "phone"), "warm", topic="phone")
TEXTS = ["Hi {name}, thank you.", "Hello {name}, please enjoy {offer} off for {months}."]


def loud(chain: Chain) -> tuple[PreTrainedModel, Any]:
    """A small base that is sure of what it says, by weights that no training had a hand in: one
    trained for a few steps hardly knows a prompt from none, and what is within a nat doesn't count.
    """
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.ndim == 2:
            parameter.data.normal_(std=0.2)
    model.get_output_embeddings().weight.data.normal_(std=2.0)
    return model, tokenizer


def log_probs(model: torch.nn.Module, prompt: list[int], answer: list[int]) -> Tensor:
    """Of the answer's words behind the prompt, by the whole softmax."""
    logits = model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    return torch.stack([logits[len(prompt) + i - 1, word] for i, word in enumerate(answer)])


@torch.no_grad()
def test_relevance_is_what_the_prompt_adds_to_each_words_log_probability(chain: Chain) -> None:
    """Why: padding, an offset by one or the prompt's own words would change it unseen."""
    model, tokenizer = loud(chain)
    found = relevance(model, encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96))
    assert found.abs().min() > 0.1
    prompt = tokenizer(SITUATION.prompt).input_ids
    for text, told in zip(TEXTS, found.tolist(), strict=True):
        answer = [*tokenizer(text).input_ids, tokenizer.eos_token_id]
        gained = log_probs(model, prompt, answer) - log_probs(model, [0], answer)
        beyond = gained.sign() * (gained.abs() - LEAST).clamp(min=0)
        assert told == pytest.approx(beyond.clamp(*MOST).sum().item() / NATS, abs=1e-4)


@torch.no_grad()
def test_evidence_is_told_apart_and_what_nothing_led_to_expect_is_held_against(
    chain: Chain,
) -> None:
    """Why: a closing in another tone than its greeting is as unlikely without the prompt as with
    it, so that in the sum of relevance it cancels. An opening for another customer in words that
    SFT never saw can't be told by what it is without a prompt; heads of before learnt that."""
    model, tokenizer = loud(chain)
    texts = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    other = tokenizer(SITUATION.contrary.prompt).input_ids
    found = {held: evidence(model, texts, contrasted=bool(held)) for held in (1, 0)}
    assert (found[1] - found[0]).abs().max() > 0.05
    prompt = tokenizer(SITUATION.prompt).input_ids
    asked = [(text, held, i) for i, text in enumerate(TEXTS) for held in (1, 0)]
    for text, held, i in asked:
        told = found[held][i].tolist()
        answer = [*tokenizer(text).input_ids, tokenizer.eos_token_id]
        firsts = (prompt, other if held else [0])
        behind, elsewhere = (log_probs(model, before, answer) for before in firsts)
        gained = behind - elsewhere
        beyond = gained.sign() * (gained.abs() - LEAST).clamp(min=0)
        least, most = EXPECTED
        unexpected = [min(max(-word - least, 0), most) for word in behind.tolist()]
        sums = (beyond.clamp(MOST[0], 0).sum(), beyond.clamp(0, FOR).sum(), -sum(unexpected))
        assert told == pytest.approx([float(each) / NATS for each in sums], abs=1e-4)
        assert told[0] <= 0 <= told[1]
        assert told[2] < 0


def on_the_left(rows: Tensor, mask: Tensor) -> Tensor:
    """The same rows with their padding moved to the front."""
    padding = (1 - mask).sum(1).tolist()
    return torch.stack([row.roll(count) for row, count in zip(rows, padding, strict=True)])


@torch.no_grad()
def test_relevance_is_the_same_whichever_side_padding_is_on(chain: Chain) -> None:
    """Why: the reward model reads pairs padded on the right, PPO-Text's samples on the left."""
    model, tokenizer = loud(chain)
    right = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    moved = map(on_the_left, (right.ids, right.mask, right.answered), [right.mask] * 3)
    left = Dialogues(*moved, right.others)
    torch.testing.assert_close(relevance(model, left), relevance(model, right), atol=1e-4, rtol=0)
    torch.testing.assert_close(evidence(model, left), evidence(model, right), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_prompt_that_is_no_customers_is_held_against_none(chain: Chain) -> None:
    """Why: public pairs and customers' are learnt from in one batch."""
    model, tokenizer = loud(chain)
    prompts = ["Why is the sky blue?", SITUATION.prompt]
    texts = encode_dialogues(tokenizer, prompts, TEXTS, 96)
    assert [len(other) > 1 for other in texts.others()] == [False, True]
    found, against_none = (evidence(model, texts, contrasted=held) for held in (True, False))
    torch.testing.assert_close(found[0], against_none[0], atol=1e-4, rtol=0)
    assert (found[1] - against_none[1]).abs().max() > 0.01
    some = encode_dialogues(tokenizer, prompts[1:], TEXTS[1:], 96)
    torch.testing.assert_close(evidence(model, some)[0], found[1], atol=1e-4, rtol=0)


@torch.no_grad()
def test_another_customers_prompt_is_made_where_a_head_asks_for_it(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: live generation of the embedded base built every situation there is, for nobody."""
    made: list[str] = []

    def counted(prompt: str) -> str:
        made.append(prompt)
        return contrary(prompt)

    monkeypatch.setattr(encoding, "contrary", counted)
    model, tokenizer = loud(chain)
    prompts = [SITUATION.prompt] * 2
    texts = encode_dialogues(tokenizer, prompts, TEXTS, 96)
    samples = sample(model, tokenizer, prompts, TINY.generation, 1)
    plain, informed = (RewardHead(head_width(model), informed=held) for held in (False, True))
    for asked in (texts, samples.dialogues, samples.rows(torch.tensor([1])).dialogues):
        scores(model, plain, asked, model)
    assert made == []
    for asked in (texts, texts):
        scores(model, informed, asked, model)
    assert made == prompts


def test_no_adapter_has_a_part_in_relevance_and_it_leaves_them_as_they_are(chain: Chain) -> None:
    """Why: PPO-Text and both reward models ride on one base, and one of them is in training."""
    base, tokenizer = loud(chain)
    texts = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    expected = relevance(base, texts)
    folder = chain.folders["reward_model"]
    model = PeftModel.from_pretrained(base, folder / REWARD, adapter_name=REWARD)
    model.load_adapter(folder / JUDGE, adapter_name=JUDGE)
    for adapter, trainable in ((REWARD, True), (JUDGE, False)):
        activate(model, adapter, trainable=trainable)
        before = [parameter.requires_grad for parameter in model.parameters()]
        with speaking(model, None):
            torch.testing.assert_close(relevance(model, texts), expected)
        assert model.active_adapter == adapter
        assert [parameter.requires_grad for parameter in model.parameters()] == before


def test_pairs_are_read_without_dropout(chain: Chain) -> None:
    """Why: a base with dropout, as opt-350m has, would say something else each time."""
    base, tokenizer = loud(chain)
    texts = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    expected = relevance(base.eval(), texts).tolist()  # before an adapter rides on it
    folder = chain.folders["reward_model"]
    model = PeftModel.from_pretrained(base, folder / REWARD, adapter_name=REWARD)
    for module in model.modules():
        if isinstance(getattr(module, "dropout", None), float):
            module.dropout = 0.5
    pair = Pair(SITUATION.prompt, *TEXTS, "grammar", None)
    model.train()
    with speaking(model, None):
        noisy = relevance(model, texts).tolist()
    found = seen_before(model, tokenizer, RewardHead(head_width(model)), [pair], 96)[pair]
    assert found.said.squeeze(1).tolist() == pytest.approx(expected, abs=1e-5) != noisy


def test_the_state_of_the_last_word_is_found_on_either_side_of_padding() -> None:
    """Why: pairs are padded on the right, samples on the left and behind; a state of padding or of
    the end-of-text would be another text's."""
    head = RewardHead(3, last_word=True)
    hidden = torch.arange(2 * 6 * 3, dtype=torch.float32).view(2, 6, 3)
    mask = torch.tensor([[0, 0, 1, 1, 1, 0], [1, 1, 1, 1, 1, 1]])  # the last of each is its end
    torch.testing.assert_close(head.pooled(hidden, mask), hidden[[0, 1], [3, 4]])


@pytest.mark.parametrize("numbers", [1, 3])
def test_a_fitted_head_ranks_pairs_by_what_tells_them_apart(numbers: int) -> None:
    """Why: a head drawn at random drowns a quiet feature in a loud one, and the adapter learns to
    undo that first. Known: of 300 pairs the third feature and the prompt's say are better, and a
    feature a hundred times as large says nothing."""
    torch.manual_seed(3)
    states, said = torch.randn(2, 300, 4), torch.randn(2, 300, numbers)
    states[..., 1] *= 100
    states[0, :, 2] += 1.5
    said[0, :, 0] += 1.5
    head = RewardHead(4, last_word=True, informed=numbers == 3)
    hidden = torch.stack([states, states], 2)  # two words each, of which the first is the last word

    def right() -> float:
        better, worse = (head(hidden[i], torch.ones(300, 2), said[i]) for i in (0, 1))
        return float((better > worse).float().mean())

    before = right()
    head.fit(states, said)
    assert right() > 0.9 > before
    weights = head.linear.weight[0]
    assert weights[2] > 2 * weights[[0, 1, 3]].abs().max()
    prompts = head.relevance.weight[0]
    assert prompts[0] > 2 * prompts[1:].abs().sum()
    both = torch.cat([head(hidden[i], torch.ones(300, 2), said[i]) for i in (0, 1)])
    assert abs(both.mean().item()) < 1e-4  # scores are held near zero


def test_a_probed_reward_model_is_loaded_as_it_was_trained(chain: Chain, tmp_path: Path) -> None:
    """Why: PPO-Text, bank and live generation read the state that its head was fitted to."""
    reward = TINY.reward.model_copy(update={"probe": True})
    config = TINY.model_copy(update={"reward": reward})
    report = train_and_evaluate(REWARD, chain.folders, tmp_path, config)
    assert 0 <= report["accuracy"] <= 1
    base, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    model = PeftModel.from_pretrained(base, tmp_path / REWARD, adapter_name=REWARD).eval()
    head = load_head(tmp_path, REWARD, head_width(model))
    assert head.last_word
    texts = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    ends = texts.mask.sum(1) - 2
    with torch.no_grad():
        state = model(texts.ids, attention_mask=texts.mask, output_hidden_states=True)
        found = scores(model, head, texts)
        again = head.linear(state.hidden_states[-1][[0, 1], ends]).squeeze(-1)
        with speaking(model, None):
            said = relevance(model, texts)
    torch.testing.assert_close(found, again + head.relevance.weight[0, 0] * said)


def test_an_informed_reward_model_is_told_by_sft_wherever_it_is_asked(
    chain: Chain, tmp_path: Path
) -> None:
    """Why: a base that never read the corpus doesn't know what belongs to whom, SFT does; where one
    place asked the base instead, PPO-Text, bank and live generation would not be judged alike."""
    names = ("message_base_model", "sft_model", "reward_model")
    base_folder, sft, out = (tmp_path / name for name in names)
    shutil.copytree(chain.folders["message_base_model"], base_folder)
    loud(chain)[0].save_pretrained(base_folder)
    shutil.copytree(chain.folders["sft_model"], sft)
    weights = load_file(sft / SFT / "adapter_model.safetensors")
    torch.manual_seed(5)  # after two steps SFT's adapter would hardly differ from none
    loud_weights = {name: w + 2 * torch.randn_like(w) for name, w in weights.items()}
    save_file(loud_weights, sft / SFT / "adapter_model.safetensors")
    reward = TINY.reward.model_copy(update={"informed": True})
    config = TINY.model_copy(update={"reward": reward})
    out.mkdir()
    run({**chain.folders, "message_base_model": base_folder, "sft_model": sft}, out, config)

    base, tokenizer = load_base(base_folder, eight_bit=False)
    texts = encode_dialogues(tokenizer, [SITUATION.prompt] * 2, TEXTS, 96)
    by_base = evidence(base, texts)
    told = PeftModel.from_pretrained(base, sft / SFT, adapter_name=SFT).eval()
    by_sft = evidence(told, texts)
    assert (by_sft - by_base).abs().max() > 0.05
    told.load_adapter(out / REWARD, adapter_name=REWARD)
    activate(told, REWARD)
    head = load_head(out, REWARD, head_width(told))
    expected = head(last_hidden(told, texts.ids, texts.mask), texts.mask, by_sft)

    folders = base_folder, chain.folders["ppo_text_model"], out
    live = LiveModel.load(*folders, TINY.generation)
    found = live.score(TEXTS, [SITUATION] * 2)
    assert found == pytest.approx(expected.tolist(), abs=1e-4)
    copy_for_live(*folders, tmp_path / "live")
    released = ReleasedModel.load(tmp_path / "live", TINY.generation, candidates=1)
    merged = scores(released.reward, released.head, texts, released.base)
    torch.testing.assert_close(merged, expected, atol=1e-3, rtol=1e-3)


def test_a_head_of_before_the_prompt_had_a_say_scores_as_it_did(tmp_path: Path) -> None:
    """Why: a release of an earlier version is served until the next one."""
    head = RewardHead(8)
    weights = {name: w for name, w in head.state_dict().items() if name.startswith("linear")}
    save_file(weights, tmp_path / "reward_head.safetensors")
    loaded = load_head(tmp_path, REWARD, 8)
    hidden, mask = torch.randn(3, 5, 8), torch.ones(3, 5)
    torch.testing.assert_close(
        loaded(hidden, mask, torch.tensor([[9.0], [-9.0], [0.0]])),
        head.linear(hidden.mean(1)).squeeze(-1),
    )


def test_an_informed_head_of_before_is_told_what_it_learnt_from(tmp_path: Path) -> None:
    """Why: held against another customer's prompt, an earlier release's scores would be others."""
    head = RewardHead(8, informed=True)
    assert head.contrasted
    weights = {name: w for name, w in head.state_dict().items() if name != "contrasted"}
    save_file(weights, tmp_path / "reward_head.safetensors")
    loaded = load_head(tmp_path, REWARD, 8)
    assert loaded.informed
    assert not loaded.contrasted


def test_merged_weights_alone_give_no_score(chain: Chain) -> None:
    """Why: the base's own say can't be had of weights that an adapter was merged into."""
    model, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    texts = encode_dialogues(tokenizer, [SITUATION.prompt], TEXTS[:1], 96)
    with pytest.raises(TypeError, match="need its base"):
        scores(model, RewardHead(head_width(model)), texts)


def test_live_messages_are_asked_for_each_of_the_customers_topics(
    chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why: a customer of three services would only ever read of one."""
    asked: list[str] = []

    def read(tokenizer: Any, prompts: Sequence[str]) -> NoReturn:
        asked.extend(prompts)
        raise TimeoutError  # nothing has to be written

    inputs = [chain.folders[n] for n in ("message_base_model", "ppo_text_model", "reward_model")]
    copy_for_live(*inputs, tmp_path / "live")
    model = ReleasedModel.load(tmp_path / "live", TINY.generation, candidates=8)
    monkeypatch.setattr("churn_assets.messages.models.language_model.encode_prompts", read)
    with pytest.raises(TimeoutError):
        model.candidates(brief(services=("phone", "internet")), "seed")
    topics = [prompt.split(" about ")[1].split()[0] for prompt in asked]
    assert len(topics) == 8
    assert set(topics) == {"internet", "phone", "monthly"}


def test_without_a_topic_a_message_is_to_speak_of_the_contract() -> None:
    """Why: a brief names no topic; a prompt that named none, no model has seen."""
    plain = replace(SITUATION, topic=None)
    contract = replace(SITUATION, topic=SITUATION.contract)
    assert (plain.about, contract.about, SITUATION.about) == ("One year", "One year", "phone")
    assert plain.prompt == contract.prompt != SITUATION.prompt
    assert plain.instruction == contract.instruction != SITUATION.instruction


def test_a_base_that_learnt_no_topics_is_asked_as_before(chain: Chain) -> None:
    """Why: a live model of an earlier release must meet the prompts that it was trained on."""
    _, tokenizer = load_base(chain.folders["message_base_model"], eight_bit=False)
    assert worded(tokenizer, [SITUATION.prompt]) == [SITUATION.prompt]
    tokenizer.init_kwargs.pop(TOPICS)
    assert worded(tokenizer, [SITUATION.prompt]) == ["10% new yearly warm internet phone:\n"]
    other = "Tell me about cats please:\nthen more"
    assert without_topic(other) == other


@pytest.mark.parametrize("steps", [*range(1, 25), 400])
def test_the_learning_rate_s_schedule_takes_any_number_of_steps(steps: int) -> None:
    """Why: ten steps were a valid setting, and ended the graph minutes later."""
    rise = RewardConfig(steps=steps).rise
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=steps, pct_start=rise
    )
    for _ in range(steps - 1):
        optimizer.step()
        schedule.step()
    assert 0 < optimizer.param_groups[0]["lr"] <= 1
