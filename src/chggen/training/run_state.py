"""The state of a training run: model, average, optimizer, step and history, with its writing and restoring."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from chggen.errors import InputError
from chggen.io import read_tensors
from chggen.score import build_score_model, read_checkpoint, save_atomically
from chggen.training.options import TrainingOptions

_SHARD: Final = 14 * 2**20  # bytes of tensors in one file, which then stays below 16 MiB


class RunState:
    """What changes during a training run, and what it needs to go on exactly where it stopped.

    It is the same in every process that shares the run.

    Args:
        options: The training configuration.
        device: A device of torch.
        start_from: A checkpoint whose weights the model starts from, or None for random ones. It may lack the weights
            of the strain score, which then start random.

    Attributes:
        architecture: Name of the architecture.
        model: The network that is trained.
        average: Its twin, whose weights are the moving average (EMA) of those of the model.
        trains_atoms: Whether the score of the atoms is trained.
        trains_cells: Whether the strain score is trained.
        optimizer: AdamW over the weights to train.
        step: Steps done.
        history: Results of the validations, oldest first.
        started_from: File name of the checkpoint that the run started from, empty for none.

    Raises:
        InputError: If the architecture, an option of it or the part to train is unknown, the checkpoint cannot be read,
            or its weights are of another architecture.
    """

    def __init__(self, options: TrainingOptions, device: str, start_from: Path | None) -> None:
        torch.manual_seed(options.run.seed)
        self.device = device
        architecture = dict(options.model)
        self.architecture = str(architecture.pop("architecture", "painn"))
        self.model = build_score_model(self.architecture, architecture).to(device)
        if start_from is not None:
            _load(self.model, read_checkpoint(start_from)["weights"], str(start_from), fresh="strain.")
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.trains_cells = getattr(self.model, "strain", None) is not None
        self.trains_atoms = options.optimizer.part != "strain"
        if options.optimizer.part not in ("all", "strain") or not (self.trains_atoms or self.trains_cells):
            raise InputError("optimizer.part must be all, or strain for a model with strain_features")
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.trains_atoms or name.startswith("strain."))
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, weight_decay=options.optimizer.weight_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        self.started_from = start_from.name if start_from is not None else ""

    def update_average(self, decay: float) -> None:
        """Move the average towards the model.

        Args:
            decay: Share of the average that is kept, between 0 and 1.
        """
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(new, 1 - decay)

    def write(self, folder: Path) -> None:
        """Write the state. A run that is killed meanwhile can still be resumed from the state before.

        Args:
            folder: Folder for `state.pt` and files of at most 16 MiB with the tensors. Those of older states are
                removed.
        """
        moments = self.optimizer.state_dict()["state"]
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"moment.{p}.{k}": v for p, state in moments.items() for k, v in state.items()}
        shards = _shards(tensors)
        for k, shard in enumerate(shards):
            save_atomically(folder / f"{self.step}-{k}.pt", shard)
        state = {"step": self.step, "shards": len(shards), "history": json.dumps(self.history)}
        state["started_from"] = self.started_from
        save_atomically(folder / "state.pt", state)  # last: it names the shards that count
        for old in folder.glob("*-*.pt"):
            if not old.name.startswith(f"{self.step}-"):
                old.unlink()

    def restore(self, folder: Path) -> None:
        """Read the state that was written last.

        Args:
            folder: The folder handed to `write`.

        Raises:
            InputError: If the state is damaged or not whole, or its weights are of another architecture.
        """
        state = read_tensors(folder / "state.pt", "the state of a training run")
        try:
            step, n_shards = int(state["step"]), int(state["shards"])
            self.history = list(json.loads(state["history"]))
            self.started_from = str(state.get("started_from", ""))
        except Exception as error:  # a state of another kind may lack anything
            raise _damaged(folder, error) from None
        tensors: dict[str, torch.Tensor] = {}
        for k in range(n_shards):
            shard = folder / f"{step}-{k}.pt"
            if not shard.is_file():
                raise _damaged(folder, FileNotFoundError(shard.name))
            part = read_tensors(shard, "a part of the state of a training run", self.device)
            if not isinstance(part, dict):
                raise _damaged(folder, TypeError(f"{shard.name} holds a {type(part).__name__}"))
            tensors |= part
        _load(self.model, _part(tensors, "model"), str(folder))
        _load(self.average, _part(tensors, "average"), str(folder))
        try:
            self.optimizer.load_state_dict(
                {"state": self._moments(tensors), "param_groups": self.optimizer.state_dict()["param_groups"]}
            )
        except Exception as error:
            raise _damaged(folder, error) from None
        self.step = step

    def _moments(self, tensors: dict[str, torch.Tensor]) -> dict[int, dict[str, torch.Tensor]]:
        """The moments of the optimizer, by number of the parameter and by kind."""
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _part(tensors, "moment").items():
            parameter, kind = key.split(".")
            moments.setdefault(int(parameter), {})[kind] = value
        shapes = [p.shape for group in self.optimizer.param_groups for p in group["params"]]
        for number, kinds in moments.items():
            if any(value.dim() and value.shape != shapes[number] for value in kinds.values()):
                raise ValueError(f"moments of parameter {number} have another shape")
        return moments


def _damaged(folder: Path, error: Exception) -> InputError:
    return InputError(
        f"the training state in {folder} is damaged ({type(error).__name__}: {error!s:.80}); expected what "
        "`chggen train` has written, start anew in another folder"
    )


def _load(model: nn.Module, weights: dict[str, torch.Tensor], source: str, fresh: str = "none") -> None:
    """Load weights into the model; missing ones whose name begins with `fresh` stay as they are."""
    missing = {k: v for k, v in model.state_dict().items() if k.startswith(fresh) and k not in weights}
    try:
        model.load_state_dict(weights | missing)
    except (RuntimeError, TypeError):
        raise InputError(
            f"the weights in {source} are of another architecture; expected the one in [model] of the configuration"
        ) from None


def _part(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """The tensors whose key begins with `name.`, under the rest of their keys."""
    return {key.split(".", 1)[1]: tensor for key, tensor in tensors.items() if key.startswith(name + ".")}


def _shards(tensors: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """Groups of tensors, on the CPU, each within the size of a file unless it is a single tensor."""
    shards: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if size + tensor.nbytes > _SHARD and shards[-1]:
            shards.append({})
            size = 0
        shards[-1][name] = tensor.detach().cpu().clone()
        size += tensor.nbytes
    return shards
