from .checkpoint import load_score_model, read

__all__ = [
    "load_score_model",
    "read",
]
