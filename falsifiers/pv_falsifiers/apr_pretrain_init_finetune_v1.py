"""Checks of apr-pretrain-init-finetune-v1: a live fine-tune, from start to saved checkpoint."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from pv_falsifiers import apr_bytes
from pv_falsifiers.live_pair import record_losses
from pv_falsifiers.tiny import number_at, read_json


if TYPE_CHECKING:
    from pathlib import Path

    from pv_falsifiers.live_pair import LivePair, LiveRun
    from pv_harness.fixtures import Cli, Measure, RecordSeries

ARCHITECTURE: Final = (
    *("architecture", "hf_architecture", "hf_model_type", "vocab_size", "hidden_size"),
    *("num_layers", "num_heads", "num_kv_heads", "head_dim", "intermediate_size"),
    *("max_position_embeddings", "rope_theta", "rope_type", "rms_norm_eps"),
    *("tie_word_embeddings", "use_bias", "param_count"),
)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-001")
def test_a_finetune_does_all_its_updates_and_says_how_it_ended(
    measure: Measure, finetuned: LiveRun
) -> None:
    """The run uses its whole budget, ends with exit code 0, and does not call that success.

    Refuted if the exit code or the recorded one is not 0, if an update or a line of metrics is
    missing, if two updates read the same batch, or if the status is not that of a budget that
    ended with its target missed.
    Survival does not show that the updates taught anything: FINETUNE-005 does.
    """
    record, metrics = finetuned.record, finetuned.metrics
    measure("exit_code", finetuned.exit_code)
    measure("recorded_exit_code", number_at(record, "exit_code"))
    measure("recorded_status", str(record.get("status")))
    measure("says_target_not_met", "target not met" in str(record.get("reason")))
    updates = number_at(record, "steps")
    measure("updates", updates)
    measure(
        "updates_of_the_budget_not_done", number_at(record, "options", "num_steps") - updates
    )
    measure("updates_without_metrics", updates - len(metrics))
    batches = {line.get("batch_digest") for line in metrics}
    measure("updates_on_a_batch_seen_before", len(metrics) - len(batches))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-002")
def test_a_finetune_ends_in_time_and_its_clock_is_a_clock(
    measure: Measure, finetuned: LiveRun
) -> None:
    """The run ends within its time, and its own account of it agrees with an outside one.

    Refuted if the process takes too long, if what the record calls its wall time is longer
    than the process or leaves too much of it out, if the rates of the single updates add up to
    more than that or to nearly nothing, or if fewer tokens were trained on than so many
    updates hold.
    Survival does not show speed on another machine, or how much of the device was used.
    """
    record = finetuned.record
    recorded = number_at(record, "wall_seconds")
    measure("process_seconds", finetuned.wall_s, "s")
    measure("unrecorded_seconds", finetuned.wall_s - recorded, "s")
    metrics = finetuned.metrics
    seen = [0, *(number_at(line, "tokens_seen") for line in metrics)]
    updates = [
        (after - before) / number_at(line, "tokens_per_sec")
        for before, after, line in zip(seen, seen[1:], metrics, strict=False)
    ]
    measure("update_seconds_share", math.fsum(updates) / recorded, samples=len(updates))
    measure("tokens_trained_on", number_at(record, "tokens", "seen"))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-003")
def test_the_first_batch_is_already_predicted(
    measure: Measure, live_pair: LivePair, init_start: LiveRun
) -> None:
    """Before the first update, the loss of the first batch is well below that of guessing.

    Refuted if it is not, if the loss that the record gives for step 0 is not the one that the
    first update starts from, both being of one batch and one model, or if one of the record's
    baselines, ln V and the unigram cross-entropy, is not what is found here in nats.
    Survival does not show held-out text: INIT-006 does.
    """
    measure("exit_code", init_start.exit_code)
    loss = number_at(init_start.record, "step0", "train_loss")
    measure("step0_train_loss_over_ln_vocab", loss / live_pair.ln_vocab)
    first = (init_start.metrics or [{}])[0]
    difference = abs(loss - number_at(first, "train_loss"))
    measure("difference_from_the_first_update", difference, "nats")
    baseline = number_at(init_start.record, "ln_vocab")
    measure("difference_from_recorded_ln_vocab", abs(baseline - live_pair.ln_vocab), "nats")
    baseline = number_at(init_start.record, "unigram_cross_entropy_nats")
    unigram = live_pair.unigram_cross_entropy
    measure("difference_from_recorded_unigram", abs(baseline - unigram), "nats")
    shared = live_pair.count_training_documents_seen_in_pretraining()
    measure("documents_shared_with_pretraining", shared)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-004")
def test_each_epoch_leaves_a_whole_checkpoint_of_the_trained_model(
    measure: Measure, cli: Cli, live_pair: LivePair, finetuned: LiveRun
) -> None:
    """Each epoch's file is whole, of the same shape, and holds the model that was measured.

    The files are read, and the last is evaluated, by code apart from the trainer.
    Refuted if a file is missing, cut or altered, if its sha256 is not the recorded one, if a
    tensor has another name or shape than in the init file, has a value that is not finite, or
    has not changed in all of training, if a field of the architecture differs, if `apr
    inspect` calls it unfit to train from, or if its validation loss is not the recorded one.
    Survival does not show that other libraries load it: the checkpoint contract does.
    """
    files = sorted((finetuned.run_dir / "ckpt").glob("epoch-*.apr"))
    contents = [apr_bytes.read_apr(file) for file in files]
    measure("checkpoints", len(files))
    measure("whole_checkpoints", sum(bool(tensors) for _, tensors in contents))
    measure("digests_that_differ", sum(_digest_differs(file) for file in files))
    was, before = apr_bytes.read_apr(live_pair.checkpoint)
    now, after = contents[-1] if contents else ({}, {})
    shapes = [{(n, w.shape) for n, w in tensors.items()} for tensors in (before, after)]
    measure("tensors_of_another_name_or_shape", len(shapes[0] ^ shapes[1]))
    measure("values_not_finite", sum(int((~np.isfinite(w)).sum()) for w in after.values()))
    changed = apr_bytes.count_different(before, after)
    measure("unchanged_tensors", len(before) - changed)
    measure("architecture_fields_that_differ", sum(was[k] != now.get(k) for k in ARCHITECTURE))
    inspected = cli("apr", "inspect", finetuned.last_checkpoint, "--json").stdout
    measure("inspected_as_trainable", '"trainable": true' in inspected)
    apart = live_pair.forward_loss(finetuned.last_checkpoint)
    difference = abs(apart - finetuned.final_val_loss)
    measure("difference_from_independent_forward", difference, "nats")
    measure("updates", number_at(finetuned.record, "steps"))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-005")
def test_the_finetuned_model_has_learnt_what_no_word_count_knows(
    measure: Measure, record_series: RecordSeries, live_pair: LivePair, finetuned: LiveRun
) -> None:
    """At the end, held-out loss is below its threshold and well below the unigram entropy.

    Threshold and margins stand in the contract, which was written before the run. The unigram
    cross-entropy is that of the very tokens which the loss is a mean over, counted apart from
    the trainer; so is the loss of the saved model.
    Refuted if the loss is above the threshold, too near to the unigram cross-entropy, or no
    lower than at step 0; or if one of the trainer's two numbers is not what is found here.
    Survival does not show text of another kind.
    """
    targets = live_pair.val_targets
    final, unigram = finetuned.final_val_loss, live_pair.unigram_cross_entropy
    measure("final_val_loss", final, "nats", targets)
    measure("margin_below_unigram", unigram - final, "nats", targets)
    measure("gain_over_step_0", finetuned.step0_val_loss - final, "nats", targets)
    recorded = number_at(finetuned.record, "unigram_cross_entropy_nats")
    measure("difference_from_recorded_unigram", abs(unigram - recorded), "nats")
    apart = live_pair.forward_loss(finetuned.last_checkpoint)
    measure("difference_from_independent_forward", abs(final - apart), "nats")
    measure("updates", number_at(finetuned.record, "steps"))
    measure("validation_tokens", targets)
    measure("documents_shared_with_validation", live_pair.count_shared_documents())
    record_losses(record_series, finetuned, "from_init")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-005")
def test_the_checkpoint_is_a_better_start_than_random_weights(
    measure: Measure,
    record_series: RecordSeries,
    finetuned: LiveRun,
    trained_from_random: LiveRun,
) -> None:
    """The same updates on the same batches get nowhere near it from random weights.

    Refuted if they get too near, or if the two runs were validated on different tokens.
    Survival does not show that a longer run from random weights would not catch up.
    """
    gain = trained_from_random.final_val_loss - finetuned.final_val_loss
    measure("gain_over_random_start", gain, "nats")
    sets = {str(run.record.get("val")) for run in (finetuned, trained_from_random)}
    measure("validation_sets", len(sets))
    measure("updates", number_at(trained_from_random.record, "steps"))
    record_losses(record_series, trained_from_random, "from_random")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-FINETUNE-006")
def test_nothing_is_said_that_nobody_has_to_hear(measure: Measure, finetuned: LiveRun) -> None:
    """A run that goes well writes nothing to stderr, and one JSON report to stdout.

    Refuted if there is a byte on stderr, a warning of a library included, or if stdout is
    anything but one JSON object, or one that differs from the run's own record.
    Survival does not show what a terminal shows: progress is for terminals only.
    """
    measure("exit_code", finetuned.exit_code)
    measure("bytes_on_stderr", len(finetuned.stderr.encode()))
    measure("first_line_on_stderr", finetuned.stderr.partition("\n")[0][:80])
    report = finetuned.report
    differing = sum(report.get(key) != value for key, value in finetuned.record.items())
    measure("facts_on_stdout", len(report))
    measure("facts_that_differ_from_the_record", differing)
    measure("updates", number_at(finetuned.record, "steps"))


def _digest_differs(file: Path) -> bool:
    """Whether an epoch's metadata names another sha256 than that of its checkpoint."""
    recorded = read_json(file.with_suffix(".metadata.json")).get("checkpoint_sha256")
    return recorded != hashlib.sha256(file.read_bytes()).hexdigest()
