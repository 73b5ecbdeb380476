"""Tensors of a checkpoint's files."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from churn_assets.storage.protocol import DamagedArtifactError


def read_tensors(path: Path, checkpoint: Path | None = None) -> dict[str, Tensor]:
    """Name -> tensor of a safetensors file in a checkpoint's folder.

    Args:
        checkpoint: the folder; None: the file's own.

    Raises:
        DamagedArtifactError: the file is cut off, no such file, or missing; one line that names it
            and the folder to remove, without which the stage begins anew.
    """
    try:
        return load_file(path)
    except (SafetensorError, FileNotFoundError) as error:
        message = f"{path} is damaged: {error}; remove {checkpoint or path.parent}"
        raise DamagedArtifactError(message) from error
