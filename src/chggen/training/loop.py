"""The training loop: AdamW with warm-up and decay, an average of the weights, validation, and exact resumption."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from chggen.errors import InputError
from chggen.execution import check_device, keep_memory
from chggen.io import write_text
from chggen.score import save_checkpoint
from chggen.training.cell_shape_task import CellShapes, make_shape_task, shape_losses
from chggen.training.data_parallel import Team, team
from chggen.training.dataset import epoch_batches, read_dataset
from chggen.training.denoising_task import atom_losses, make_task
from chggen.training.options import OptimizerOptions, TrainingOptions
from chggen.training.run_state import RunState
from chggen.training.validation import validation_loss

log = logging.getLogger(__name__)


def learning_rate(step: int, options: OptimizerOptions) -> float:
    """Return the learning rate of a step.

    It rises linearly over the warm-up steps, stays constant, and falls along half a cosine to 0 over the last
    `decay_share` of the steps.

    Args:
        step: Number of the step, from 0.
        options: Highest learning rate, number of steps, and lengths of warm-up and decay.

    Returns:
        The learning rate.
    """
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
    """Train a score model.

    The folder of the run gets `model.pt`, a checkpoint with the averaged weights, `history.json` with the validation
    losses, and `resume/` with the state. They are written every `checkpoint_minutes` and at the end.

    Args:
        options: The training configuration.
        device: `cpu` or `cuda`.
        resume: Continue the run in the folder exactly where its last state was written. With fewer or more processes
            than before it goes on, but not exactly.
        start_from: A checkpoint whose weights the model starts from. Not used on resuming.
        progress: Called after each step with the number of steps done and the loss.

    Returns:
        The path of `model.pt`.

    Raises:
        InputError: If there is nothing to resume, or a run is there and `resume` is not set; if the device is not
            there; if data cannot be read; if the model's options are wrong or other weights do not fit.

    Example:
        The options may come from a TOML file:

            options = from_table(TrainingOptions, read_toml(Path("configs/default.toml")), "training")
            model = load_score_model(train(options))
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
    """Do one process's part of a run; only the leader reports progress."""
    keep_memory()
    run = _Run(options, device, start_from, member)
    if resume:
        run.state.restore(Path(options.run.out) / "resume")
    run.advance(Path(options.run.out), progress)


class _Run:
    """One process's part in a training run."""

    def __init__(self, options: TrainingOptions, device: str, start_from: Path | None, member: Team) -> None:
        self.team = member
        self.options = options
        self.device = device
        self.state = RunState(options, device, start_from)
        data = options.data
        self.data = read_dataset(data.train, "train", data.max_atoms)
        validates = bool(data.validation) and member.leads
        self.held_out = read_dataset(data.validation, "val", data.max_atoms) if validates else None
        self.shapes = CellShapes(self.data.lattice)

    def advance(self, out: Path, progress: Callable[[int, float], None]) -> None:
        """Take steps until they are done or the time is up, validating and writing meanwhile."""
        run, state = self.options.run, self.state
        began = written = time.monotonic()
        batches = self._batches()
        while state.step < self.options.optimizer.steps:
            overdue = bool(run.max_minutes) and time.monotonic() - began > 60 * run.max_minutes
            loss, stop = self._update(next(batches), overdue)
            state.step += 1
            progress(state.step, loss)
            if run.validate_every and state.step % run.validate_every == 0:
                self._validate()
            if time.monotonic() - written > 60 * run.checkpoint_minutes:
                self._write(out)
                written = time.monotonic()
            if stop:
                log.info("stopping after %.1f minutes at step %d; resume to go on", run.max_minutes, state.step)
                break
        else:
            if not state.history or state.history[-1]["step"] != state.step:
                self._validate()
        self._write(out)

    def _batches(self) -> Iterator[np.ndarray]:
        """This process's batches from the present step on: every size-th one of the epochs.

        Epochs follow from the seed alone, so a run that is resumed with as many processes sees the same batches.
        """
        data = self.options.data
        position = self.state.step * self.team.size + self.team.rank
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
        """Take one optimizer step on a batch. Returns the loss, and whether the team's leader wants to stop."""
        options, state = self.options.optimizer, self.state
        rng = np.random.default_rng([self.options.run.seed, 1, state.step * self.team.size + self.team.rank])
        crystals = self.data.take(indices)
        for group in state.optimizer.param_groups:
            group["lr"] = learning_rate(state.step, options)
        losses = []
        if state.trains_atoms:
            task = make_task(crystals, self.options.noise, rng).to(self.device)
            losses.append(atom_losses(state.model, task).mean())
        if state.trains_cells:
            shapes = make_shape_task(crystals, self.shapes.of(indices), rng).to(self.device)
            losses.append(shape_losses(state.model, shapes).mean())
        loss = torch.stack(losses).sum()
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        stop = self.team.average([p.grad for p in state.model.parameters() if p.grad is not None], stop)
        norm = nn.utils.clip_grad_norm_(state.model.parameters(), options.clip_norm)
        if torch.isfinite(norm):  # one broken batch must not ruin the weights
            state.optimizer.step()
        else:
            log.warning("step %d skipped: the gradient is not finite", state.step)
        # Early on the average follows faster, so that it forgets the random weights of the start.
        state.update_average(min(options.ema, (1 + state.step) / (10 + state.step)))
        return float(loss.detach()), stop

    def _validate(self) -> None:
        """Append the validation loss to the history, in the process that holds validation data."""
        if self.held_out is None:
            return
        losses = validation_loss(self.state.average, self.held_out, self.options, self.device)
        record = {"step": self.state.step, **losses}
        self.state.history.append(record)
        log.info("validation %s", json.dumps(record))

    def _write(self, out: Path) -> None:
        """Write the model, the state to resume from and the validation history, if this process is the leader."""
        if not self.team.leads:
            return
        state = self.state
        provenance = {
            "options": json.dumps(dataclasses.asdict(self.options)),
            "crystals": len(self.data),
            "steps": state.step,
            "started_from": state.started_from,
            "validation": json.dumps(state.history[-1:] or ""),
        }
        save_checkpoint(out / "model.pt", state.architecture, state.average, provenance)
        state.write(out / "resume")
        write_text(out / "history.json", json.dumps(state.history, indent=1))
