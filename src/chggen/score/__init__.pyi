from .checkpoint import (
    SHIPPED_MODEL,
    build_score_model,
    load_score_model,
    read_checkpoint,
    save_atomically,
    save_checkpoint,
)

__all__ = [
    "SHIPPED_MODEL",
    "build_score_model",
    "load_score_model",
    "read_checkpoint",
    "save_atomically",
    "save_checkpoint",
]
