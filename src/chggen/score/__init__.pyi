from .checkpoint import (
    SHIPPED_MODEL,
    build_score_model,
    read_checkpoint,
    save_atomically,
    save_checkpoint,
)
from .registry import digest_of_model, kept_score_model, load_score_model

__all__ = [
    "SHIPPED_MODEL",
    "build_score_model",
    "digest_of_model",
    "kept_score_model",
    "load_score_model",
    "read_checkpoint",
    "save_atomically",
    "save_checkpoint",
]
