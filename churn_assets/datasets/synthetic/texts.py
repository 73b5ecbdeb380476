"""Conversations in the formats of OASST1 and HH-RLHF, put together from a small grammar.

Good replies answer, name a next step and stay courteous; poor ones are curt or pushy. That is a
preference a small model can learn.
"""

import json
from typing import Any

import numpy as np

_TOPICS = (
    "my monthly bill",
    "the contract length",
    "switching to a cheaper plan",
    "the internet speed at home",
    "adding a second phone line",
    "streaming in high definition",
    "paying by bank transfer",
    "keeping my number when I move",
    "the online security service",
    "a discount for long-time customers",
    "pausing my service over the summer",
    "the router in the hallway",
)
_QUESTIONS = (
    "Can you tell me more about {topic}?",
    "What should I know about {topic}?",
    "I have a question about {topic}. Where do I start?",
    "How does {topic} work for a customer like me?",
    "Who can help me with {topic}, and how long does it take?",
)
_OPENINGS = (
    "Happy to help with {topic}.",
    "Thank you for asking about {topic}.",
    "Good question: {topic} is easy to sort out.",
    "Let us look at {topic} together.",
)
_ADVICE = (
    "Your account page shows the current terms, and you can change them there at any time.",
    "There are three options, and I would compare their monthly price with what you use.",
    "The first step is a short check of your present plan, which takes about five minutes.",
    "Most customers in your situation save a little by reviewing their plan once a year.",
)
_CLOSINGS = (
    "Would you like me to set that up for you?",
    "Tell me which option suits you and I will take care of the rest.",
    "If anything is unclear, reply here and we will go through it.",
    "You can change your mind within fourteen days.",
)
_POOR = (
    "Read the website.",
    "Not my department. Ask somebody else about {topic}.",
    "You must decide NOW, this chance will never come back!!!",
    "It depends.",
    "Everybody already knows how {topic} works, so why ask?",
)
_FOLLOW_UPS = (
    "That helps. What would it cost each month?",
    "And what happens to the rest of my contract?",
    "Can I do that without a phone call?",
)


class _Writer:
    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def pick(self, *lists: tuple[str, ...], topic: str) -> str:
        """One phrase of each list, joined to a text."""
        return " ".join(str(self.rng.choice(phrases)) for phrases in lists).format(topic=topic)

    def question(self, number: int, topic: str) -> str:
        return f"{self.pick(_QUESTIONS, topic=topic)} (case {number + 1})"

    def good(self, topic: str) -> str:
        return self.pick(_OPENINGS, _ADVICE, _CLOSINGS, topic=topic)

    def poor(self, topic: str) -> str:
        return self.pick(_POOR, topic=topic)


def trees(rows: int, seed: int) -> str:
    """`rows` prompts with ranked replies in OASST1's tree format: two of each tree's turns."""
    writer = _Writer(seed)
    lines = []
    for number in range((rows + 1) // 2):
        topic = str(writer.rng.choice(_TOPICS))
        question, follow_up = writer.question(number, topic), writer.pick(_FOLLOW_UPS, topic=topic)
        tree = f"synthetic-{number:05d}"
        # A follow-up has its case number too: equal prompt and reply pairs would be one pair.
        again = [_message(f"{tree}-3", "prompter", f"{follow_up} (case {number + 1})")]
        again[0]["replies"] = [_message(f"{tree}-4", "assistant", writer.good(topic))]
        best = _message(f"{tree}-1", "assistant", writer.good(topic), rank=0, replies=again)
        worse = _message(f"{tree}-2", "assistant", writer.poor(topic), rank=1)
        root = _message(tree, "prompter", question, replies=[worse, best])
        line = {"message_tree_id": tree, "tree_state": "ready_for_export", "prompt": root}
        lines.append(json.dumps(line) + "\n")
    return "".join(lines)


def _message(name: str, role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"message_id": name, "role": role, "lang": "en", "text": text, **more}


def dialogues(rows: int, seed: int) -> str:
    """`rows` pairs in HH-RLHF's dialogue format, every third with an earlier turn."""
    writer = _Writer(seed + 1)
    lines = []
    for number in range(rows):
        topic = str(writer.rng.choice(_TOPICS))
        context = f"\n\nHuman: {writer.question(number, topic)}"
        if number % 3 == 0:
            follow_up = writer.pick(_FOLLOW_UPS, topic=topic)
            context += f"\n\nAssistant: {writer.good(topic)}\n\nHuman: {follow_up}"
        pair = {
            "chosen": f"{context}\n\nAssistant: {writer.good(topic)}",
            "rejected": f"{context}\n\nAssistant: {writer.poor(topic)}",
        }
        lines.append(json.dumps(pair) + "\n")
    return "".join(lines)
