"""What the reward model makes of a message: its score, from the adapted base's states and from how
much the prompt speaks for the words.

The mean of the states says what kind of text it is, but hardly whether a word is right for the
prompt: that is in how a state and the word after it go together, which the base was trained to
know. So the head also sees the pointwise mutual information of prompt and message, log p(message |
prompt) - log p(message) (Li et al. 2016, "A diversity-promoting objective function", section 3).
Words as unlikely without the prompt as with it cancel. It is by the base without any adapter where
that was trained on the corpus, and by SFT's adapter where it wasn't: an informed head.

That one reads `evidence` in place of the sum: what the prompt says for words and what against them
apart, and how unexpected they are behind all that came before. A closing in another tone than its
greeting is as unlikely without the prompt as with it, but nobody expected it. And it holds the
prompt against another customer's in place of none, log p(message | prompt) - log p(message | other
prompt): a contrast with one negative (van den Oord et al. 2018, "Representation learning with
contrastive predictive coding", section 2.3). What suits every customer cancels, and words that SFT
never saw are told apart by whom they suit rather; without any prompt they were noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from churn_assets.messages.models.encoding import Dialogues, device, pad_right
from churn_assets.messages.models.language_model import LOGITS, SFT, last_hidden, speaking

# A word's say, in nats: less than one is noise of a small base among words that it never saw; one
# that doesn't suit says more than one that does, and no single word decides.
LEAST, MOST = 1.0, (-4.0, 0.5)
FOR, EXPECTED = 4.0, (2.0, 4.0)  # what a word has at most; and: from how many nats on, and at most
PROBE = 0.01  # inverse strength of the penalty: some hundred pairs, as many states
FREE = 10.0  # what the prompt says is held back a hundredth as much: one or three numbers
NATS = 2.0  # the unit of a message's sum, so that the head's weights are of one size


class RewardHead(nn.Module):
    """One linear unit over the text's state and the prompt's say.

    The state is the mean of the last layer over real positions, or with `last_word` the one at the
    last word, before the end-of-text: a base that has read much keeps there what came before.
    """

    last_word: Tensor
    informed: Tensor
    contrasted: Tensor  # informed, with another customer's prompt; before, with none

    def __init__(self, width: int, *, last_word: bool = False, informed: bool = False) -> None:
        super().__init__()
        self.register_buffer("last_word", torch.tensor(last_word))
        self.register_buffer("informed", torch.tensor(informed))
        self.register_buffer("contrasted", torch.tensor(informed))
        self.linear = nn.Linear(width, 1)
        nn.init.zeros_(self.linear.bias)
        nn.init.normal_(self.linear.weight, std=width**-0.5)
        self.relevance = nn.Linear(3 if informed else 1, 1, bias=False)
        nn.init.ones_(self.relevance.weight)

    def forward(self, hidden: Tensor, mask: Tensor, said: Tensor) -> Tensor:
        """(batch, length, width), (batch, length), what `said` has of the texts -> scores (batch,),
        any real number."""
        scores: Tensor = self.linear(self.pooled(hidden, mask)) + self.relevance(said)
        return scores.squeeze(-1)

    def said(
        self,
        model: PeftModel | PreTrainedModel,
        texts: Dialogues,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """What the prompts say for the words by this model: (batch, 1), or (batch, 3) if informed.

        hidden: the model's states of `texts`, where they are known: (batch, length, width).
        """
        if self.informed:
            return evidence(model, texts, hidden, contrasted=bool(self.contrasted))
        return relevance(model, texts, hidden).unsqueeze(1)

    def pooled(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """(batch, length, width), (batch, length) -> what the linear unit reads, (batch, width)."""
        if self.last_word:
            ends = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).argmax(1)
            rows = torch.arange(len(ends), device=ends.device)
            return hidden[rows, (ends - 1).clamp(min=0)].float()
        hidden = hidden.float()
        weights = mask.unsqueeze(-1).to(hidden.dtype)
        return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)

    @property
    def speaker(self) -> str | None:
        """The adapter that says what the prompt says for the words; None: the base by itself."""
        return SFT if self.informed else None

    @torch.no_grad()
    def fit(self, states: Tensor, said: Tensor) -> None:
        """Logistic regression on pairs: (2, pairs, width) and what is `said` of them, (2, pairs, 1
        or 3), the better texts first.

        Linear probing before fine-tuning (Kumar et al. 2022, section 3.4): an adapter that is
        trained under a head drawn at random loses what the base's states tell apart already.
        """
        from sklearn.linear_model import LogisticRegression  # here: serving does without it

        texts = torch.cat([states, said], -1).double().cpu()
        spread = texts.flatten(0, 1).std(0).clamp(min=1e-6)
        spread[states.shape[-1] :] /= FREE
        margins = ((texts[0] - texts[1]) / spread).numpy()
        either = np.concatenate([margins, -margins])
        model = LogisticRegression(C=PROBE, fit_intercept=False, max_iter=1_000)
        model.fit(either, np.arange(len(either)) < len(margins))
        weights = (torch.from_numpy(model.coef_[0]) / spread).float().to(states.device)
        own, prompts = weights.split([states.shape[-1], said.shape[-1]])
        self.linear.weight.copy_(own.unsqueeze(0))
        self.relevance.weight.copy_(prompts.unsqueeze(0))
        self.linear.bias.copy_(-(texts.float().to(states.device) @ weights).mean())


def load_head(folder: Path, adapter: str, width: int) -> RewardHead:
    """A saved head; one of before the prompt had a say gives it no weight, and reads the mean."""
    never = torch.tensor(False)
    before = {
        "relevance.weight": torch.zeros(1, 1),
        "last_word": never,
        "informed": never,
        "contrasted": never,
    }
    found = before | load_file(folder / f"{adapter}_head.safetensors")
    head = RewardHead(width, informed=bool(found["informed"]))
    head.load_state_dict(found)
    return head.to(device()).requires_grad_(False)


def scores(
    model: PeftModel | PreTrainedModel,
    head: RewardHead,
    texts: Dialogues,
    base: PreTrainedModel | None = None,
    said: Tensor | None = None,
) -> Tensor:
    """The reward model's score per row; its adapter must be the active one.

    A model into which the adapter was merged needs beside it what speaks for the words: its
    `base`, SFT merged into it if the head is informed. said: `what_is_said`, where it is known.
    """
    if said is None:
        said = what_is_said(model, head, texts) if base is None else head.said(base, texts)
    return head(last_hidden(model, texts.ids, texts.mask), texts.mask, said)


def what_is_said(model: PeftModel | PreTrainedModel, head: RewardHead, texts: Dialogues) -> Tensor:
    """What the prompts say for the words, (batch, 1 or 3): the same for every head of one kind."""
    if not isinstance(model, PeftModel):
        raise TypeError("scores by a merged reward model need its base")
    with speaking(model, head.speaker):
        return head.said(model, texts)


@torch.no_grad()
def relevance(
    model: PeftModel | PreTrainedModel, texts: Dialogues, hidden: Tensor | None = None
) -> Tensor:
    """How much likelier the prompts make the responses than nothing before them does: (batch,), in
    `NATS`, the sum over words of what is beyond `LEAST`, within `MOST`.

    hidden: the model's states of `texts`, where they are known: (batch, length, width).
    """
    said, alone = _behind(model, texts, hidden, [[]] * len(texts.ids))
    return _summed(functional.softshrink(said - alone, LEAST).clamp(*MOST), texts)


@torch.no_grad()
def evidence(
    model: PeftModel | PreTrainedModel,
    texts: Dialogues,
    hidden: Tensor | None = None,
    *,
    contrasted: bool = True,
) -> Tensor:
    """Three sums over the responses' words, (batch, 3), in `NATS`, each the larger the better: what
    the prompts say against them, what for them, and minus what none of it led to expect.

    The first two are held against another customer's prompt, or none if not `contrasted`.
    """
    before = texts.others() if contrasted else [[]] * len(texts.ids)
    said, otherwise = _behind(model, texts, hidden, before)
    gained = functional.softshrink(said - otherwise, LEAST)
    least, most = EXPECTED
    unexpected = (-said - least).clamp(0, most)
    parts = (gained.clamp(MOST[0], 0), gained.clamp(0, FOR), -unexpected)
    return torch.stack([_summed(part, texts) for part in parts], 1)


def _behind(
    model: PeftModel | PreTrainedModel,
    texts: Dialogues,
    hidden: Tensor | None,
    others: Sequence[Sequence[int]],
) -> tuple[Tensor, Tensor]:
    """Log-probabilities of all responses' words, row by row, behind their own prompts and behind
    `others`, of which an empty one is the beginning of a text: (words,) each."""
    lengths = texts.answered.sum(1).tolist()
    answers = texts.ids[texts.answered.bool()].split(lengths)
    begun = [list(other) or [_start(model)] for other in others]
    rows = [[*first, *answer.tolist()] for first, answer in zip(begun, answers, strict=True)]
    ids, mask = pad_right(rows, _start(model))
    starts = torch.tensor([len(first) for first in begun], device=ids.device).unsqueeze(1)
    answered = mask * (torch.arange(ids.shape[1], device=ids.device) >= starts)
    if hidden is None:
        hidden = last_hidden(model, texts.ids, texts.mask)
    said = _log_probs(model, texts.ids, texts.answered, hidden)
    return said, _log_probs(model, ids, answered, last_hidden(model, ids, mask))


def _summed(words: Tensor, texts: Dialogues) -> Tensor:
    """What each row's words come to: (words,) -> (batch,), in `NATS`."""
    lengths = texts.answered.sum(1)
    rows = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)
    return torch.zeros(len(lengths), device=rows.device).index_add(0, rows, words) / NATS


def _start(model: PeftModel | PreTrainedModel) -> int:
    """The token that stands before a text of its own."""
    config: Any = model.config
    found: int = config.eos_token_id if config.bos_token_id is None else config.bos_token_id
    return found


def _log_probs(
    model: PeftModel | PreTrainedModel, ids: Tensor, answered: Tensor, hidden: Tensor
) -> Tensor:
    """Of every answered word, row by row: (words,)."""
    later = answered[:, 1:].bool()
    hidden = hidden[:, :-1][later]
    words = ids[:, 1:][later]
    out: Any = model.get_output_embeddings()
    together = LOGITS // len(out.weight)
    found = [
        -functional.cross_entropy(out(states).float(), spoken, reduction="none")
        for states, spoken in zip(hidden.split(together), words.split(together), strict=True)
    ]
    return torch.cat(found)
