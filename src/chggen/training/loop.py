"""The resumable training loop: AdamW, warm-up and decay, EMA, validation by noise band, checkpoints."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from chggen.errors import InputError
from chggen.execution import check_device, keep_memory
from chggen.io import write_text
from chggen.score import checkpoint
from chggen.training.cell_shape_task import CellShapes, make_shape_task, shape_losses
from chggen.training.data_parallel import Team, team
from chggen.training.dataset import epoch_batches, read_dataset
from chggen.training.denoising_task import atom_losses, make_task
from chggen.training.options import OptimizerOptions, TrainingOptions
from chggen.training.validation import validation_loss

log = logging.getLogger(__name__)
_SHARD: Final = 14 * 2**20  # bytes of tensors in one file of the resume state


def learning_rate(step: int, options: OptimizerOptions) -> float:
    """Linear warm-up, constant, then a half cosine to 0 over the last decay_share of the steps."""
    decay_from = options.steps * (1 - options.decay_share)
    warm = min(1.0, (step + 1) / max(options.warmup_steps, 1))
    past = min(max(step - decay_from, 0.0) / max(options.steps - decay_from, 1.0), 1.0)
    return options.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * past))


def train(
    options: TrainingOptions,
    *,
    device: str = "cpu",
    resume: bool = False,
    start_from: Path | None = None,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> Path:
    """Train by the options and return the path of the model (EMA weights), written as it improves.

    resume continues exactly where the last checkpoint stopped; start_from takes another model's weights. Raises
    InputError when there is nothing to resume, or a run is there already and resume was not asked for, and for a
    device that is not here.
    """
    check_device(device)
    out = Path(options.run.out)
    state_path = out / "resume" / "state.pt"
    if resume != state_path.exists():
        raise InputError(
            f"no training run to resume in {out}; start without --resume"
            if resume
            else f"{out} holds a training run; continue it with --resume or choose another folder"
        )
    with team(options.run.processes, device, _take_part, options, resume, start_from) as leader:
        _take_part(leader, device, options, resume, start_from, progress)
    return out / "model.pt"


def _take_part(
    member: Team,
    device: str,
    options: TrainingOptions,
    resume: bool,
    start_from: Path | None,
    progress: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """One process's share of a run; followers report no progress."""
    keep_memory()
    run = _Run(options, device, start_from, member)
    if resume:
        run.restore(Path(options.run.out) / "resume")
    run.advance(Path(options.run.out), progress)


class _Run:
    """The state of one training run: model, EMA twin, optimizer, step; the same in every process of the team."""

    def __init__(self, options: TrainingOptions, device: str, start_from: Path | None, member: Team) -> None:
        torch.manual_seed(options.run.seed)
        self.team = member
        self.options = options
        self.device = device
        architecture = dict(options.model)
        self.name = str(architecture.pop("architecture", "painn"))
        self.model = checkpoint.build(self.name, architecture).to(device)
        if start_from is not None:
            _load(self.model, checkpoint.read(start_from)["weights"], str(start_from), fresh="strain.")
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.draws_cells = getattr(self.model, "strain", None) is not None
        self.moves_atoms = options.optimizer.part != "strain"
        if options.optimizer.part not in ("all", "strain") or not (self.moves_atoms or self.draws_cells):
            raise InputError("optimizer.part must be all, or strain for a model with strain_features")
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(self.moves_atoms or name.startswith("strain."))
        trained = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, weight_decay=options.optimizer.weight_decay)
        self.step = 0
        self.history: list[dict[str, Any]] = []
        data = options.data
        self.data = read_dataset(data.train, "train", data.max_atoms)
        validates = bool(data.validation) and member.leads
        self.held_out = read_dataset(data.validation, "val", data.max_atoms) if validates else None
        self.shapes = CellShapes(self.data.lattice)
        self.started_from = start_from.name if start_from is not None else ""

    def advance(self, out: Path, progress: Callable[[int, float], None]) -> None:
        run = self.options.run
        began = written = time.monotonic()
        batches = self._batches()
        while self.step < self.options.optimizer.steps:
            overdue = bool(run.max_minutes) and time.monotonic() - began > 60 * run.max_minutes
            loss, stop = self._update(next(batches), overdue)
            self.step += 1
            progress(self.step, loss)
            if run.validate_every and self.step % run.validate_every == 0:
                self._validate()
            if time.monotonic() - written > 60 * run.checkpoint_minutes:
                self.write(out)
                written = time.monotonic()
            if stop:
                log.info("stopping after %.1f minutes at step %d; resume to go on", run.max_minutes, self.step)
                break
        else:
            if not self.history or self.history[-1]["step"] != self.step:
                self._validate()
        self.write(out)

    def _batches(self) -> Iterator[np.ndarray]:
        """This process's batches from the present step on: every size-th one of epochs that follow from the seed
        alone, so a run resumed with as many processes sees the same."""
        data = self.options.data
        position = self.step * self.team.size + self.team.rank
        epoch = 0
        while True:
            batches = epoch_batches(
                self.data.n_atoms,
                self.options.run.seed,
                epoch,
                data.atoms_per_batch,
                data.crystals_per_batch,
                self.team.size,
            )
            while position < len(batches):
                yield batches[position]
                position += self.team.size
            position -= len(batches)
            epoch += 1

    def _update(self, indices: np.ndarray, stop: bool) -> tuple[float, bool]:
        """One optimizer step on a batch; the loss, and whether the team's leader wants to stop."""
        options = self.options.optimizer
        rng = np.random.default_rng([self.options.run.seed, 1, self.step * self.team.size + self.team.rank])
        crystals = self.data.take(indices)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, options)
        losses = []
        if self.moves_atoms:
            task = make_task(crystals, self.options.noise, rng).to(self.device)
            losses.append(atom_losses(self.model, task).mean())
        if self.draws_cells:
            shapes = make_shape_task(crystals, self.shapes.of(indices), rng).to(self.device)
            losses.append(shape_losses(self.model, shapes).mean())
        loss = torch.stack(losses).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        stop = self.team.average([p.grad for p in self.model.parameters() if p.grad is not None], stop)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), options.clip_norm)
        if torch.isfinite(norm):  # one broken batch must not ruin the weights
            self.optimizer.step()
        else:
            log.warning("step %d skipped: the gradient is not finite", self.step)
        decay = min(options.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, new in zip(self.average.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(new, 1 - decay)
        return float(loss.detach()), stop

    def _validate(self) -> None:
        if self.held_out is None:
            return
        record = {"step": self.step, **validation_loss(self.average, self.held_out, self.options, self.device)}
        self.history.append(record)
        log.info("validation %s", json.dumps(record))

    def write(self, out: Path) -> None:
        """The shippable model, the state to resume from in files of at most 16 MiB, and the validation history."""
        if not self.team.leads:
            return
        provenance = {
            "options": json.dumps(dataclasses.asdict(self.options)),
            "crystals": len(self.data),
            "steps": self.step,
            "started_from": self.started_from,
            "validation": json.dumps(self.history[-1:] or ""),
        }
        checkpoint.save(out / "model.pt", self.name, self.average, provenance)
        moments = self.optimizer.state_dict()["state"]
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"moment.{p}.{k}": v for p, state in moments.items() for k, v in state.items()}
        shards = _shards(tensors)
        for k, shard in enumerate(shards):
            checkpoint.write_atomically(out / "resume" / f"{self.step}-{k}.pt", shard)
        state = {"step": self.step, "shards": len(shards), "history": json.dumps(self.history)}
        state["started_from"] = self.started_from
        checkpoint.write_atomically(out / "resume" / "state.pt", state)  # last: it names the shards that count
        for old in (out / "resume").glob("*-*.pt"):
            if not old.name.startswith(f"{self.step}-"):
                old.unlink()
        write_text(out / "history.json", json.dumps(self.history, indent=1))

    def restore(self, folder: Path) -> None:
        state = torch.load(folder / "state.pt", weights_only=True)
        tensors: dict[str, torch.Tensor] = {}
        for k in range(state["shards"]):
            tensors |= torch.load(folder / f"{state['step']}-{k}.pt", weights_only=True, map_location=self.device)
        _load(self.model, _part(tensors, "model"), str(folder))
        _load(self.average, _part(tensors, "average"), str(folder))
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _part(tensors, "moment").items():
            parameter, kind = key.split(".")
            moments.setdefault(int(parameter), {})[kind] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step = state["step"]
        self.history = json.loads(state["history"])
        self.started_from = state.get("started_from", "")


def _load(model: nn.Module, weights: dict[str, torch.Tensor], source: str, fresh: str = "none") -> None:
    """The weights into the model; those whose name begins with `fresh` may be missing, and stay as they are."""
    missing = {k: v for k, v in model.state_dict().items() if k.startswith(fresh) and k not in weights}
    try:
        model.load_state_dict(weights | missing)
    except RuntimeError:
        raise InputError(
            f"the weights in {source} are of another architecture; expected the one in [model] of the configuration"
        ) from None


def _part(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key.split(".", 1)[1]: tensor for key, tensor in tensors.items() if key.startswith(name + ".")}


def _shards(tensors: dict[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    shards: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if size + tensor.nbytes > _SHARD and shards[-1]:
            shards.append({})
            size = 0
        shards[-1][name] = tensor.detach().cpu().clone()
        size += tensor.nbytes
    return shards
