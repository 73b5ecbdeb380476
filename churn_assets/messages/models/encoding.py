"""Text to tokens: prompts, dialogues and batches of them, padded, with masks of what is real."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from churn_assets.messages.corpus.pairs import Pair
from churn_assets.messages.corpus.prompts import contrary, instruction, without_topic

Row = TypeVar("Row")
Others = Callable[[], Sequence[Sequence[int]]]
"""Each row's prompt for another customer, in tokens; empty where it is no customer's. Made when
first asked for: only a head that holds prompts against them does, and they take their time."""
# In the tokenizer's file, so that they go wherever the base goes: how it is asked.
PLAIN_PROMPTS, TOPICS = "plain_prompts", "topics"
LEAST_PROMPT = 7  # tokens of it that are kept, however long the response
TOGETHER = 64  # pairs, where no gradient is kept
BUCKET = 8  # batches whose texts are sorted by length together; beyond them the order is random


def device() -> torch.device:
    """Where models and batches lie: the graphics card if PyTorch sees one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(frozen=True)
class Dialogues:
    """Prompts with their responses, one a row, padded on either side.

    ids, mask, answered: (batch, length); `answered` masks the responses with their end-of-text.
    """

    ids: Tensor
    mask: Tensor
    answered: Tensor
    others: Others


def worded(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> list[str]:
    """Prompts as this tokenizer's base is given them: in plain words if it was trained elsewhere,
    else the short ones that the embedded base learns, without a topic if it learnt none."""
    if tokenizer.init_kwargs.get(PLAIN_PROMPTS, False):
        return [instruction(prompt) for prompt in prompts]
    if tokenizer.init_kwargs.get(TOPICS, False):
        return list(prompts)
    return [without_topic(prompt) for prompt in prompts]


def for_another_customer(tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]) -> Others:
    """Each prompt's contrary in tokens, what `Dialogues.others` gives."""
    asked = tuple(prompts)  # whatever becomes of the caller's list meanwhile

    @cache
    def others() -> list[list[int]]:
        contraries = worded(tokenizer, list(map(contrary, asked)))
        found: list[list[int]] = tokenizer(contraries).input_ids
        return found

    return others


def some_others(others: Others, chosen: Tensor) -> Others:
    """Those of some rows."""
    return lambda: [others()[i] for i in chosen.tolist()]


def encode_prompts(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Left-padded ids and mask, both (batch, width)."""
    texts = worded(tokenizer, prompts)
    encoded = tokenizer(texts, padding=True, padding_side="left", return_tensors="pt")
    return encoded.input_ids.to(device()), encoded.attention_mask.to(device())


def encode_dialogues(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    responses: Sequence[str],
    max_length: int,
) -> Dialogues:
    """Prompt, response and end-of-text, right-padded; of the prompt the beginning is cut first."""
    beginnings = tokenizer(worded(tokenizer, prompts)).input_ids
    endings = tokenizer(list(responses), add_special_tokens=False).input_ids
    rows, starts = [], []
    for beginning, response in zip(beginnings, endings, strict=True):
        room = max_length - 1 - min(len(beginning), LEAST_PROMPT)
        ending = [*response[:room], tokenizer.eos_token_id]
        rows.append(beginning[-(max_length - len(ending)) :] + ending)
        starts.append(len(rows[-1]) - len(ending))
    ids, mask = pad_right(rows, tokenizer.pad_token_id)
    places = torch.arange(ids.shape[1], device=ids.device)
    begun = places >= torch.tensor(starts, device=ids.device).unsqueeze(1)
    return Dialogues(ids, mask, mask * begun, for_another_customer(tokenizer, prompts))


def batches_of_like_length(
    rows: Sequence[Row], batch: int, length: Callable[[Row], int], rng: random.Random
) -> Iterator[list[Row]]:
    """Endless shuffled batches; sorting within a few of them saves half of the padding."""
    order, batch = list(rows), min(batch, len(rows))
    while True:
        rng.shuffle(order)
        for i in range(0, len(order) - batch + 1, batch * BUCKET):
            bucket = sorted(order[i : i + batch * BUCKET], key=length)
            groups = [bucket[j : j + batch] for j in range(0, len(bucket), batch)]
            rng.shuffle(groups)
            yield from groups


def of_like_length(pairs: Sequence[Pair]) -> Iterator[list[Pair]]:
    """All of them, shortest first, so many at a time as fit where no gradient is kept."""
    order = sorted(pairs, key=lambda pair: len(pair.prompt) + pair.length)
    return (order[i : i + TOGETHER] for i in range(0, len(order), TOGETHER))


def encode_pairs(tokenizer: Any, pairs: Sequence[Pair], max_length: int) -> Dialogues:
    """Pairs behind their prompts: the chosen texts, then the rejected ones."""
    replies = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
    return encode_dialogues(tokenizer, [pair.prompt for pair in pairs] * 2, replies, max_length)


def pad_right(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Ids and mask, both (rows, length of the longest), on the model's device."""
    lengths = torch.tensor([len(row) for row in rows])
    real = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
    ids = torch.full(real.shape, padding)
    ids[real] = torch.tensor(list(chain.from_iterable(rows)))
    return ids.to(device()), real.long().to(device())
