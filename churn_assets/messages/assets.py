"""The message writer as assets: corpus, base model, SFT, reward model, PPO-Text, message bank."""

import json
from pathlib import Path

import dagster as dg

from churn_assets.messages.config import BaseModelConfig, MessagesConfig
from churn_assets.messages.corpus import answers
from churn_assets.messages.corpus.corpus import write_corpus
from churn_assets.orchestration.compute import Compute, scalar_metadata, stage_options
from churn_assets.orchestration.resources import StoreResource, put_input
from churn_assets.storage.protocol import Artifact, ArtifactStore
from churn_assets.storage.scratch import scratch_folder

GROUP = "messages"
CHECKPOINT = "base_checkpoint"  # as in `models/base_model.py`, which needs torch


@dg.asset(group_name=GROUP, kinds={"json"}, code_version="3")
def retention_messages(
    messages_config: dg.ResourceParam[MessagesConfig], compute: Compute
) -> dg.MaterializeResult[Artifact]:
    """Retention messages with slots, written by the grammar; split by template family."""
    return _materialize_corpus("messages", "retention_messages", messages_config, compute)


@dg.asset(group_name=GROUP, kinds={"json"}, code_version="3")
def retention_preferences(
    messages_config: dg.ResourceParam[MessagesConfig], compute: Compute
) -> dg.MaterializeResult[Artifact]:
    """Pairs of a good message and one with a single named flaw; split by template family."""
    return _materialize_corpus("preferences", "retention_preferences", messages_config, compute)


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch"},
    **stage_options("message_base_model"),
)
def message_base_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    messages_config: dg.ResourceParam[MessagesConfig],
    store: StoreResource,
    retention_messages: Artifact,
    retention_preferences: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The language model that all adapters ride on: pretrained here, or a pinned public one."""
    inputs = {
        "retention_messages": retention_messages,
        "retention_preferences": retention_preferences,
    }
    if messages_config.base.source.startswith("/"):
        inputs[CHECKPOINT] = publish_checkpoint(store.open(), messages_config.base)
    return compute.run(context, "message_base_model", inputs, messages_config)


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "huggingface"},
    **stage_options("sft_model"),
)
def sft_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    messages_config: dg.ResourceParam[MessagesConfig],
    message_base_model: Artifact,
    retention_messages: Artifact,
    oasst1_pairs: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The LoRA adapter that writes good messages: supervised fine-tuning with TRL."""
    inputs = {
        "message_base_model": message_base_model,
        "retention_messages": retention_messages,
        "oasst1_pairs": oasst1_pairs,
    }
    return compute.run(context, "sft_model", inputs, messages_config)


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "huggingface"},
    **stage_options("reward_model"),
)
def reward_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    messages_config: dg.ResourceParam[MessagesConfig],
    message_base_model: Artifact,
    sft_model: Artifact,
    retention_preferences: Artifact,
    preference_pairs: Artifact,
    template_answers: Artifact,
    store: StoreResource,
) -> dg.MaterializeResult[Artifact]:
    """Scores messages (Bradley-Terry), and a second model as judge that PPO never sees.

    It learns from customers' answers too, once they have decided enough pairs of templates, and
    with `reward.informed` SFT tells it how likely a message's words are.
    """
    inputs = {
        "message_base_model": message_base_model,
        "retention_preferences": retention_preferences,
        "preference_pairs": preference_pairs,
    }
    if messages_config.reward.informed:
        inputs["sft_model"] = sft_model
    enough = messages_config.reward.answer_pairs
    if pairs := publish_answers(store.open(), template_answers, enough):
        inputs[answers.INPUT] = pairs
    return compute.run(context, "reward_model", inputs, messages_config)


@dg.asset(
    group_name=GROUP,
    kinds={"pytorch", "huggingface"},
    **stage_options("ppo_text_model"),
)
def ppo_text_model(
    context: dg.AssetExecutionContext,
    compute: Compute,
    messages_config: dg.ResourceParam[MessagesConfig],
    message_base_model: Artifact,
    sft_model: Artifact,
    reward_model: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """The policy adapter: more reward, kept near SFT."""
    inputs = {
        "message_base_model": message_base_model,
        "sft_model": sft_model,
        "reward_model": reward_model,
    }
    return compute.run(context, "ppo_text_model", inputs, messages_config)


@dg.asset(
    group_name=GROUP,
    kinds={"json"},
    **stage_options("message_bank"),
)
def message_bank(
    context: dg.AssetExecutionContext,
    compute: Compute,
    messages_config: dg.ResourceParam[MessagesConfig],
    message_base_model: Artifact,
    sft_model: Artifact,
    reward_model: Artifact,
    ppo_text_model: Artifact,
) -> dg.MaterializeResult[Artifact]:
    """Generated templates for every offer, tenure band, contract and tone, shielded and scored."""
    inputs = {
        "message_base_model": message_base_model,
        "sft_model": sft_model,
        "reward_model": reward_model,
        "ppo_text_model": ppo_text_model,
    }
    return compute.run(context, "message_bank", inputs, messages_config)


def publish_checkpoint(store: ArtifactStore, config: BaseModelConfig) -> Artifact:
    """Put a base model of your own into the store: so the stage finds it wherever it runs, and
    another one in the same folder is another input. Of the folder, what a model is loaded from: the
    GGUF file that the settings name, or the files directly in it.

    Raises:
        dg.Failure: there is no such folder or file.
    """
    folder = Path(config.source)
    found = [folder / config.gguf_file] if config.gguf_file else sorted(folder.glob("[!.]*"))
    files = [file for file in found if file.is_file()]
    if not files:
        raise dg.Failure(
            f"no base model in {folder}: CHURN_MESSAGES__BASE__SOURCE names a folder with one, "
            "CHURN_MESSAGES__BASE__GGUF_FILE a GGUF file in it",
            allow_retries=False,
        )
    with scratch_folder(CHECKPOINT) as scratch:
        for file in files:
            link = scratch / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
        return put_input(store, CHECKPOINT, scratch)


def publish_answers(
    store: ArtifactStore, template_answers: Artifact, enough: int
) -> Artifact | None:
    """The pairs that answers decided, by themselves: more answers that decide no other pair train
    nothing anew. None where there are fewer than `enough`."""
    [content] = store.read(template_answers, answers.PAIRS).values()
    if len(content.splitlines()) < enough:
        return None
    with scratch_folder(answers.INPUT) as folder:
        (folder / answers.PAIRS).write_bytes(content)
        return put_input(store, answers.INPUT, folder)


def _materialize_corpus(
    kind: str, name: str, config: MessagesConfig, compute: Compute
) -> dg.MaterializeResult[Artifact]:
    artifact, unchanged = compute.once(
        name,
        f"{write_corpus.__module__}:write_corpus",
        config.corpus.model_dump(mode="json"),
        lambda folder: write_corpus(kind, config.corpus, folder),
    )
    [card] = compute.store.open().read(artifact, "dataset.json").values()
    return dg.MaterializeResult(
        value=artifact,
        data_version=dg.DataVersion(artifact.sha256),
        metadata={"sha256": artifact.sha256, **unchanged, **scalar_metadata(json.loads(card))},
    )
