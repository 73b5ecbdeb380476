"""OASST1: each prompt with its best-ranked reply, out of the conversation trees."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from churn_assets.datasets.texts import parse, read_jsonl, tidy

READY = "ready_for_export"


class Message(BaseModel):
    """A message of a tree; rank 0 is the best of its parent's replies. None means not ranked."""

    message_id: str
    parent_id: str | None = None
    role: str
    lang: str
    text: str
    rank: int | None = None
    deleted: bool | None = None
    review_result: bool | None = None
    replies: list["Message"] = []


class Tree(BaseModel):
    """A line of a `*.trees.jsonl` file."""

    message_tree_id: str
    tree_state: str
    prompt: Message


class Record(Message):
    """A line of the flat format, in which a message names its tree and its parent."""

    message_tree_id: str
    tree_state: str


def clean(files: Sequence[Path], language: str) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Pairs `{prompt, response, source, group}`, and what was left out.

    A prompt is one message of a user, without the turns before it; its response is the best-ranked
    reply in the same language, or the only one. Messages that were deleted or failed their review
    are not used, nor are prompts whose several replies nobody ranked. `group` is the tree.

    Raises:
        CorruptFileError: a line is neither a tree nor a message.
    """
    messages = list(_messages(files))
    replies: dict[str, list[Message]] = {}
    for _, message in messages:
        if message.parent_id and message.role == "assistant" and _usable(message, language):
            replies.setdefault(message.parent_id, []).append(message)
    pairs: dict[tuple[str, str], dict[str, str]] = {}
    notes = {"messages": len(messages), "dropped_unranked": 0, "dropped_duplicates": 0}
    for tree, message in messages:
        candidates = replies.get(message.message_id, [])
        if message.role != "prompter" or not candidates or not _usable(message, language):
            continue
        best = _best(candidates)
        if best is None:
            notes["dropped_unranked"] += 1
            continue
        key = (tidy(message.text), tidy(best.text))
        notes["dropped_duplicates"] += key in pairs
        pairs.setdefault(
            key, {"prompt": key[0], "response": key[1], "source": "oasst1", "group": tree}
        )
    return list(pairs.values()), notes


def _usable(message: Message, language: str) -> bool:
    return (
        message.lang == language
        and not message.deleted
        and message.review_result is not False
        and bool(tidy(message.text))
    )


def _best(candidates: Sequence[Message]) -> Message | None:
    """The reply with the lowest rank, or the only one; None where several have no rank."""
    if len(candidates) == 1:
        return candidates[0]
    ranked = [message for message in candidates if message.rank is not None]
    return min(ranked, key=lambda message: message.rank or 0, default=None)


def _messages(files: Iterable[Path]) -> Iterator[tuple[str, Message]]:
    """Tree id and message, of every message of the ready trees in either format."""
    for path in files:
        for line, value in read_jsonl(path):
            if isinstance(value, dict) and "prompt" in value:
                tree = parse(Tree, value, path, line)
                if tree.tree_state == READY:
                    yield from ((tree.message_tree_id, node) for node in _walk(tree.prompt))
            else:
                record = parse(Record, value, path, line)
                if record.tree_state == READY:
                    yield record.message_tree_id, record


def _walk(root: Message) -> Iterator[Message]:
    """The message and all below it, depth first; the parent is set from the nesting."""
    yield root
    for reply in root.replies:
        yield from _walk(reply.model_copy(update={"parent_id": root.message_id}))
