"""Checks of apr-pretrain-from-init-v1: `--init` means that the run starts from that file."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from pv_falsifiers import (
    apr_bytes,
    architectures,
    bad_checkpoints,
    forward_pass,
    held_out,
    populating,
    surfaces,
    tiny,
)
from pv_falsifiers.live_pair import record_losses
from pv_falsifiers.populating import loading_refusal_of, refusal_of
from pv_falsifiers.tiny import measure_refusals, number_at, pretrain, pretrain_from_each
from pv_trainer.commands.parser import make_parser


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pv_falsifiers.apr_bytes import Array
    from pv_falsifiers.live_pair import LivePair, LiveRun
    from pv_falsifiers.tiny import Bench
    from pv_harness.fixtures import Cli, Measure, RecordSeries

GIVEN: Final = "Some/Model.apr"
COUNTED_STEPS: Final = (
    *("--num-steps", "1", "--steps-per-epoch", "1", "--lr", "1e-3", "--warmup-steps", "4"),
)
"""One update, at a quarter of a peak rate that is large beside float32's rounding."""


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-001")
def test_the_flag_takes_a_path_and_the_run_starts_from_it(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """`--init PATH` is optional, takes a path as it stands, and the run starts from that file.

    Refuted if the parsed value is another, if there is one without the flag, if the flag
    without a path is accepted, or if a parameter of the run's first checkpoint is not the
    file's.
    Survival does not show other formats or damaged files: INIT-003 to 007 and 011 do.
    """
    parse = make_parser().parse_args
    measure("parsed_value", str(parse(["pretrain", "--init", GIVEN]).init))
    measure("absent_value", str(parse(["pretrain"]).init))
    measure("exit_code_without_a_path", cli("apr", "pretrain", "--init").returncode)
    attempt = pretrain(cli, tiny_bench, tiny_bench.checkpoint, tmp_path / "run")
    measure("exit_code", attempt.exit_code)
    different = apr_bytes.count_different(tiny.make_weights(), attempt.saved)
    measure("parameters_not_from_the_file", different)
    wanted = hashlib.sha256(tiny_bench.checkpoint.read_bytes()).hexdigest()
    recorded = (attempt.record.get("init") or {}).get("files", {})
    measure("recorded_digest_is_the_files", list(recorded.values()) == [wanted])


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-002")
def test_without_the_flag_a_run_starts_from_the_seed_alone(
    measure: Measure, cli: Cli, scratch_bench: Bench, tmp_path: Path
) -> None:
    """Without `--init` nothing of it shows: from-scratch numbers, weights drawn from the seed.

    Refuted if the record names an init, if mode, rate, warm-up or target are those of another
    regime, if a weight differs from what the seed gives, if norms or biases start at anything
    but one and zero, or if the untrained loss is not that of guessing.
    Survival does not show that training then works: training-loop-pretrain-v1 does.
    """
    attempt = pretrain(cli, scratch_bench, None, tmp_path / "run", "--seed", "7")
    record, saved = attempt.record, attempt.saved
    measure("exit_code", attempt.exit_code)
    measure("init_facts", sum(record.get(key) is not None for key in ("init", "population")))
    measure("mode", str(record.get("mode")))
    for name in ("lr", "warmup_steps", "target_val_loss"):
        measure(name, number_at(record, "regime", name))
    off = number_at(record, "step0", "val_loss") - number_at(record, "ln_vocab")
    measure("step0_loss_minus_ln_vocab", off, "nats")
    norms = [w for name, w in saved.items() if name.endswith("norm.weight")]
    biases = [w for name, w in saved.items() if name.endswith(".bias")]
    measure("norm_and_bias_tensors", len(norms) + len(biases))
    measure("norms_not_one", sum(int((w != 1).sum()) for w in norms))
    measure("biases_not_zero", sum(int((w != 0).sum()) for w in biases))
    drawn = _draw_from_seed(7)
    measure("parameters_not_of_the_seed", apr_bytes.count_different(drawn, saved))
    measure("parameters_of_any_seed", _count_equal_matrices(drawn, _draw_from_seed(8)))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-003")
def test_a_missing_file_ends_the_command_before_anything_is_allocated(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """`--init` of a path where nothing is ends the command at once; no random weights instead.

    An .apr, a .safetensors and a folder are missing; data and tokenizer would train.
    Refuted if one attempt ends other than with INIT_INVALID and this ID, does not name the
    path, leaves a run folder, prints a traceback, or has imported torch by then.
    Survival does not show a file that vanishes while it is read: INIT-011 does.
    """
    names = ("none.apr", "none.safetensors", "no-folder")
    attempts = pretrain_from_each(cli, tiny_bench, (tmp_path / name for name in names))
    measure_refusals(measure, attempts)
    measure("attempts_with_torch", sum(attempt.imported_torch for attempt in attempts))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-004")
def test_what_is_no_checkpoint_is_refused_by_its_first_bytes(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """A file whose first bytes are not a checkpoint's is refused as such, an empty one too.

    Among them files that are whole but for one byte of the magic, or the version, with both
    checksums made right again: nothing else could give them away.
    Refuted if one attempt ends other than with INIT_INVALID and this ID, does not name the
    path, leaves a run folder, prints a traceback, or has imported torch by then.
    Survival does not show that a file with a right magic is sound: INIT-005, 007 and 011 do.
    """
    inits = bad_checkpoints.write_not_checkpoints(tmp_path)
    attempts = pretrain_from_each(cli, tiny_bench, inits)
    measure_refusals(measure, attempts)
    measure("attempts_with_torch", sum(attempt.imported_torch for attempt in attempts))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-005")
def test_missing_or_bogus_metadata_is_refused(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """Metadata that is absent, is no JSON object, or holds an impossible value is refused.

    In one process every number of the architecture is replaced by each of several impossible
    values; the command gets what the reader itself must refuse, and a sample of those.
    Refuted if one is accepted or refused for another reason, or if the command leaves a run
    folder, prints a traceback, or has imported torch by then.
    Survival does not show a possible value that is wrong: INIT-007 finds those that change a
    shape, INIT-006 those that change a loss.
    """
    refusals = [refusal_of(path) for path in bad_checkpoints.write_bogus_values(tmp_path)]
    measure("bogus_values", len(refusals))
    measure("bogus_values_accepted", refusals.count("none"))
    for error_id in sorted(set(refusals)):
        measure("error_id", error_id)
    inits = bad_checkpoints.write_bogus_metadata(tmp_path)
    attempts = pretrain_from_each(cli, tiny_bench, inits)
    measure_refusals(measure, attempts)
    measure("attempts_with_torch", sum(attempt.imported_torch for attempt in attempts))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-006")
def test_step_0_shows_that_the_init_weights_arrived(
    measure: Measure,
    record_series: RecordSeries,
    live_pair: LivePair,
    init_start: LiveRun,
    random_start: LiveRun,
) -> None:
    """Before any update, the init model predicts held-out text and a random model guesses.

    Both runs are the real command on the embedded pair: one checkpoint, one dataset, one
    validation set whose documents neither training nor pretraining has seen.
    Refuted if the init loss is not well below the random one, if the random one is below what
    guessing allows, or if the init loss is not that of a forward pass written apart from the
    trainer on the same file and windows.
    Survival does not show that training goes on from there: init-finetune-v1 does.
    """
    init, random = (run.step0_val_loss for run in (init_start, random_start))
    measure("exit_code", init_start.exit_code)
    measure("exit_code", random_start.exit_code)
    measure("step0_gap", random - init, "nats", live_pair.val_targets)
    measure("init_step0_loss", init, "nats", live_pair.val_targets)
    measure("ln_vocab_minus_random_step0_loss", live_pair.ln_vocab - random, "nats")
    apart = live_pair.forward_loss(live_pair.checkpoint)
    measure("difference_from_independent_forward", abs(init - apart), "nats")
    same = init_start.record.get("val") == random_start.record.get("val")
    measure("validation_sets_equal", same)
    measure("validation_tokens", live_pair.val_targets)
    measure("documents_shared_with_validation", live_pair.count_shared_documents())
    record_losses(record_series, init_start, "from_init")
    record_losses(record_series, random_start, "from_random")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-007")
def test_every_parameter_is_its_source_tensor_and_nothing_is_left_over(
    measure: Measure, tmp_path: Path
) -> None:
    """The library's one builder gives every parameter its tensor, byte for byte, or nothing.

    Sources in three dtypes and three containers, tied and untied, with and without biases;
    then checkpoints with one tensor missing, left over, misshapen, not finite or
    contradicting.
    Refuted if a parameter differs from its source, if the permitted second copy of a tied head
    is refused, if one of the others is accepted or refused for another reason, or if a
    parameter had been written by then.
    Survival does not show that the command uses this builder: the check beside it does.
    """
    sources = bad_checkpoints.write_sound_checkpoints(tmp_path)
    mismatched = unused = refused = 0
    for path, wanted in sources:
        found, uncounted = populating.load(path)
        refused += not found
        mismatched += apr_bytes.count_different(wanted, found)
        unused += len(wanted.keys() ^ found.keys()) + uncounted
    measure("sound_checkpoints", len(sources))
    measure("sound_checkpoints_refused", refused)
    measure("mismatched_parameters", mismatched)
    measure("unused_tensors", unused)
    unfit = [populating.try_populate(p) for p in bad_checkpoints.write_unfit(tmp_path)]
    measure("unfit_checkpoints", len(unfit))
    measure("unfit_checkpoints_accepted", sum(error_id == "none" for error_id, _ in unfit))
    for error_id in sorted({error_id for error_id, _ in unfit}):
        measure("error_id", error_id)
    measure("parameters_written_before_a_refusal", sum(written for _, written in unfit))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-007")
def test_the_command_trains_from_exactly_those_parameters(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """`apr pretrain --init` starts from the file's parameters, counts them, and says so.

    Only this run can raise the claim above PARTIAL: with `--init` accepted and not wired, the
    library still populates, and the command's numbers are those of random weights.
    Refuted at INTEGRATION if a parameter of the run's first checkpoint is not the source's, if
    the report counts a tensor missing, unused or not at all, if the step-0 loss is not that of
    a forward pass written apart from the trainer, or if an unfit checkpoint leaves a run
    folder.
    Survival does not show the loss of later steps.
    """
    attempt = pretrain(cli, tiny_bench, tiny_bench.checkpoint, tmp_path / "run")
    wanted = tiny.make_weights()
    different = apr_bytes.count_different(wanted, attempt.saved)
    measure("command_mismatched_parameters", different)
    counted = partial(number_at, attempt.record, "population")
    measure("command_tensors_not_matched", len(wanted) - counted("matched"))
    measure("command_missing_tensors", counted("missing"))
    measure("command_unused_tensors", counted("unused"))
    ids_NT, targets_NT = held_out.validation_windows(tiny_bench.dataset / "val", 8)
    metadata = architectures.apr_metadata(tiny.SHAPE)
    apart = forward_pass.mean_loss(metadata, wanted, ids_NT, targets_NT)
    loss = number_at(attempt.record, "step0", "val_loss")
    measure("command_step0_difference", abs(loss - apart), "nats")
    unfit = bad_checkpoints.write_unfit(tmp_path)
    refused = pretrain(cli, tiny_bench, unfit[0], tmp_path / "unfit")
    measure("command_exit_code_for_an_unfit_file", refused.exit_code)
    measure("command_run_folders_after_a_refusal", int(refused.run_dir.exists()))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-009")
def test_optimizer_and_schedule_start_fresh(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """After an init the moments are zero and the counter is 0, whatever the file went through.

    The file's metadata says that it was trained for thousands of steps. The first update is
    its own witness: from zero moments, and only from them, AdamW moves each weight by its
    rate.
    Refuted if the optimizer holds a value other than zero before the first update, if that
    update runs at another rate than the first step of the warm-up, or moves weights by another
    amount.
    Survival does not show later updates: the schedule and AdamW have claims of their own.
    """
    from pv_falsifiers import fresh_optimizer  # noqa: PLC0415 - brings torch

    fresh_optimizer.measure_state(measure)
    trained = {"training": {"epoch": 70, "step": 7000, "tokens_seen": 7_000_000}}
    metadata = architectures.apr_metadata(tiny.SHAPE) | trained
    init = tiny.write_file(tmp_path / "trained.apr", tiny.pack_model(metadata=metadata))
    attempt = pretrain(cli, tiny_bench, init, tmp_path / "run", *COUNTED_STEPS)
    measure("exit_code", attempt.exit_code)
    fresh = partial(number_at, attempt.record, "fresh")
    measure("recorded_nonzero_state_values", fresh("nonzero_state_values"))
    first = (tiny.read_metrics(attempt.run_dir) or [{}])[0]
    measure("first_step", number_at(first, "step"))
    peak = number_at(attempt.record, "regime", "lr")
    measure("first_rate_over_peak", number_at(first, "lr") / peak)
    moved = fresh_optimizer.median_move(tiny.make_weights(), attempt.saved)
    measure("first_move_over_rate", moved / number_at(first, "lr"))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-010")
def test_two_loads_give_identical_bytes(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """Two runs of no updates from one file write the same checkpoint, byte for byte.

    They differ in run folder, time, and the seed of Python's own hashing.
    Refuted if the two files differ in one byte, or a tensor in them differs from the source.
    Survival does not show that two machines agree.
    """
    run = partial(pretrain, cli, tiny_bench, tiny_bench.checkpoint)
    pair = [run(tmp_path / f"run-{n}", PYTHONHASHSEED=f"{n}") for n in (1, 2)]
    for attempt in pair:
        measure("exit_code", attempt.exit_code)
        different = apr_bytes.count_different(tiny.make_weights(), attempt.saved)
        measure("parameters_not_from_the_file", different)
    first, second = (a.run_dir.joinpath("ckpt", "epoch-000.apr").read_bytes() for a in pair)
    different = abs(len(first) - len(second))
    different += sum(a != b for a, b in zip(first, second, strict=False))
    measure("differing_bytes", different)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-011")
def test_a_file_that_is_cut_or_altered_is_refused(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """A checkpoint that lost its end, or one bit anywhere, is refused; nothing is trained.

    Bits are flipped and ends are cut all over an .apr file; .safetensors has no checksum, so
    only cuts are tried there.
    Refuted if one is accepted, if a flip in the tensors or a cut is refused for another reason,
    if the whole file is refused, or if the command leaves a run folder.
    Survival does not show a change that gives the same CRC-32, which chance does once in 2^32.
    """
    measure("whole_file_refusal", loading_refusal_of(tiny_bench.checkpoint))
    altered = bad_checkpoints.write_altered(tmp_path)
    by_place = {
        place: [loading_refusal_of(p) for p in paths] for place, paths in altered.items()
    }
    measure("altered_files", sum(len(refusals) for refusals in by_place.values()))
    accepted = sum(refusals.count("none") for refusals in by_place.values())
    measure("altered_files_accepted", accepted)
    for error_id in sorted({*by_place["tensors"], *by_place["end"]}):
        measure("error_id", error_id)
    inits = [altered["tensors"][0], altered["end"][0], *altered["safetensors"]]
    measure_refusals(measure, pretrain_from_each(cli, tiny_bench, inits))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-012")
def test_the_flag_is_on_every_surface(measure: Measure, cli: Cli) -> None:
    """`--init` stands in the parser, the help, a test of the real command, and the guide.

    Refuted if one of them lacks it, if it is accepted under an abbreviation, or if the guide
    shows a flag of `apr pretrain` that the parser does not have.
    Survival does not show that what the surfaces say is true: every other claim here does that.
    """
    flags = surfaces.pretrain_flags()
    measure("in_the_parser", "--init" in flags)
    measure(
        "in_the_help", surfaces.describes(cli("apr", "pretrain", "--help").stdout, "--init")
    )
    measure("exit_code_of_an_abbreviation", cli("apr", "pretrain", "--ini", "x").returncode)
    measure("tests_of_the_command", len(surfaces.tests_that_pass("--init")))
    documented = surfaces.documented_flags()
    measure("in_the_guide", "--init" in documented)
    measure("guide_flags_unknown_to_the_parser", len(documented - flags))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-MATCH-001")
def test_the_claimed_family_is_that_of_the_tensor_names(
    measure: Measure, cli: Cli, tiny_bench: Bench, tmp_path: Path
) -> None:
    """A checkpoint that claims one family and holds the tensors of another is refused.

    Biases on q, k and v tell Qwen2 from Llama; claims stand in several keys and must agree.
    Refuted if one contradiction is accepted or refused for another reason, if a true claim in
    any of its spellings is refused, or if the command leaves a run folder or has imported
    torch.
    Survival does not show families beyond these two: they are unknown, and refused as such.
    """
    true = [refusal_of(path) for path in bad_checkpoints.write_true_claims(tmp_path)]
    measure("true_claims", len(true))
    measure("true_claims_refused", len(true) - true.count("none"))
    false = bad_checkpoints.write_false_claims(tmp_path)
    refusals = [refusal_of(path) for path in false]
    measure("false_claims", len(refusals))
    measure("false_claims_accepted", refusals.count("none"))
    for error_id in sorted(set(refusals)):
        measure("error_id", error_id)
    attempts = pretrain_from_each(cli, tiny_bench, false[:3])
    measure_refusals(measure, attempts)
    measure("attempts_with_torch", sum(attempt.imported_torch for attempt in attempts))


def _draw_from_seed(seed: int) -> dict[str, Array]:
    """The weights that a seed gives to the default shape."""
    import torch  # noqa: PLC0415 - two seconds that most checks here do without

    from pv_trainer.checkpoints.init import fresh_model  # noqa: PLC0415
    from pv_trainer.model.config import SHAPES  # noqa: PLC0415

    model = fresh_model(SHAPES["tiny-qwen2"], torch.Generator().manual_seed(seed))
    return {name: values.numpy() for name, values in model.state_dict().items()}


def _count_equal_matrices(one: Mapping[str, Array], other: Mapping[str, Array]) -> int:
    matrices = {name: values for name, values in one.items() if values.ndim > 1}
    return len(matrices) - apr_bytes.count_different(matrices, other)
