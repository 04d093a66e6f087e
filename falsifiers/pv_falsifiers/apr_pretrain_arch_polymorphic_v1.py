"""Checks of apr-pretrain-arch-polymorphic-v1: the architecture comes from the checkpoint."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from pv_falsifiers import architectures, containers
from pv_falsifiers.pretrain_command import (
    ENCODER_NAMES,
    encoder_scene,
    measure_acceptance,
    measure_refusal,
    plan_from_scratch,
    pretrain,
    report_of,
    unread_scene,
)
from pv_trainer.formats.checkpoint import open_checkpoint
from pv_trainer.model.config import SHAPES, ModelConfig, parameter_count, tensor_shapes


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_harness.fixtures import Cli, CompletedCommand, Measure

    Run = tuple[CompletedCommand, dict[str, Any]]

ROOT: Final = Path(__file__).resolve().parents[2]
CONTRACT: Final = "contracts/apr-pretrain-arch-polymorphic-v1.yaml"
FIELDS: Final = tuple(field.name for field in fields(ModelConfig))
QWEN_ROWS: Final = 151_936
QWEN_ORDINARY: Final = 151_643
QWEN_ADDED: Final = range(QWEN_ORDINARY, QWEN_ORDINARY + 22)


def measure_shape(measure: Measure, config: ModelConfig) -> None:
    """Measure every field of a shape under its own name, and what follows from them."""
    for name, value in asdict(config).items():
        measure(name, value)
    measure("tensors", len(tensor_shapes(config)))
    measure("parameters", parameter_count(config))


@pytest.fixture(scope="module")
def from_scratch(shared_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One update of a tiny Llama without --init, its tokenizer of exactly the model's size."""
    folder = tmp_path_factory.mktemp("from-scratch")
    tokenizer = architectures.write_tokenizer(folder / "tokenizer.json", 4096)
    dataset = architectures.write_dataset(folder / "dataset", tokenizer)
    scene = architectures.Scene(folder / "no-init", tokenizer, dataset)
    done = pretrain(shared_cli, scene, folder / "run", "--config", "tiny-llama")
    return done, report_of(done)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-001")
def test_the_qwen2_shape_is_the_published_one(measure: Measure) -> None:
    """The shape named qwen2-0.5b has the published numbers, and the model built of it too.

    Refuted if a field, the number of tensors or the number of parameters differs, or if the
    model that is built has other tensors than the table of shapes says.
    Survival does not show that such a model computes the right thing: ARCH-004 does.
    """
    config = SHAPES["qwen2-0.5b"]
    measure_shape(measure, config)
    # torch costs two seconds, which the checks of refusals do without.
    from pv_trainer.model.decoder import Decoder  # noqa: PLC0415

    built = {(n, tuple(p.shape)) for n, p in Decoder(config, "meta").named_parameters()}
    measure("built_tensors_that_differ", len(built ^ set(tensor_shapes(config).items())))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-002")
def test_without_init_the_named_shape_is_what_runs(
    measure: Measure,
    from_scratch: Run,
    tmp_path: Path,
) -> None:
    """Without --init the shape is the one that --config names; llama-370m has its numbers.

    Refuted if the plan of a run from scratch of llama-370m holds another number, or if a run
    of tiny-llama records a configuration other than that name's.
    Survival does not show a trained llama-370m: its 1.3 GB are planned here, not allocated.
    """
    done, record = from_scratch
    measure("exit_code", done.returncode)
    named = asdict(SHAPES["tiny-llama"])
    recorded = record.get("config", {})
    measure("recorded_fields_that_differ", sum(recorded.get(k) != v for k, v in named.items()))
    sources = record.get("config_sources", {})
    measure(
        "fields_from_elsewhere",
        sum(sources.get(name) != "--config tiny-llama" for name in FIELDS),
    )
    config = plan_from_scratch(tmp_path, "llama-370m")
    measure("planned", config is not None)
    if config is not None:
        measure_shape(measure, config)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-003")
def test_every_field_is_read_from_the_file_and_none_has_a_default(
    measure: Measure, tmp_path: Path
) -> None:
    """Every field is the file's, its source is recorded, and a file that lacks one is refused.

    Each field is deleted, and set to null, alone, in every kind of file and both families.
    Refuted if a file is read without a field that nothing else in it tells, if the refusal has
    another ID or does not name the field, if a value or its source is wrong, or if a field that
    the tensors tell as well comes out different.
    Survival does not show that values which make no sense are refused: INIT-005 does.
    """
    refused: list[tuple[str, containers.Reading]] = []
    derived_wrong = read_wrong = sources_wrong = 0
    for number, (container, shape) in enumerate(containers.stored_shapes()):
        metadata = container.describe(shape)
        reading = containers.read(container.store(tmp_path / f"{number}", metadata, shape))
        read_wrong += containers.count_wrong(reading, shape)
        sources_wrong += containers.count_wrong_sources(reading, container)
        for key in container.all_keys:
            for way, lacking in enumerate(containers.ways_to_lack(metadata, key)):
                path = tmp_path / f"{number}-{key}-{way}"
                reading = containers.read(container.store(path, lacking, shape))
                if key in container.derived:
                    derived_wrong += containers.count_wrong(reading, shape)
                else:
                    refused.append((key, reading))
    measure("fields_read_wrong", read_wrong)
    measure("sources_wrong", sources_wrong)
    measure("derived_fields_wrong", derived_wrong)
    measure("deletions", len(refused))
    measure("accepted_without_a_field", sum(r.error is None for _, r in refused))
    for error_id in {reading.error_id for _, reading in refused}:
        measure("error_id", error_id)
    measure("refusals_without_the_name", sum(k not in str(r.error) for k, r in refused))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-003")
@pytest.mark.parametrize(
    ("container", "key"),
    [(containers.FOLDER, "rope_theta"), (containers.APR, "rms_norm_eps")],
    ids=["huggingface-rope_theta", "apr-rms_norm_eps"],
)
def test_a_run_from_a_checkpoint_that_lacks_a_field_is_refused(
    measure: Measure, cli: Cli, tmp_path: Path, container: containers.Container, key: str
) -> None:
    """`apr pretrain --init` of a file that lacks a field is refused, and writes nothing.

    Refuted if it ends other than with INIT_INVALID, or if a run folder appears.
    Survival does not show that each field is guarded: the check beside it does.
    """
    shape = architectures.Shape()
    lacking = next(containers.ways_to_lack(container.describe(shape), key))
    init = container.store(tmp_path / "lacking", lacking, shape)
    scene = replace(unread_scene(tmp_path, shape.vocab_size), init=init)
    done = pretrain(cli, scene, tmp_path / "run")
    measure_refusal(measure, done, tmp_path / "run")
    measure("refusals_without_the_name", int(key not in done.stderr))


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-004")
def test_grouped_heads_equal_repeated_heads_and_the_reference(measure: Measure) -> None:
    """A decoder whose query heads share key/value heads equals one with copies of those heads.

    Refuted if at any position the logits of the two, or those of the reference library with the
    same weights, point in another direction or differ in size.
    Survival does not show bfloat16, CUDA or long contexts: this is float32, 24 positions, CPU.
    """
    # torch costs two seconds, which the checks of refusals do without.
    from pv_falsifiers import attention_parity as parity  # noqa: PLC0415

    for heads, kv_heads in ((4, 4), (8, 2), (14, 2), (16, 2)):
        decoder = parity.make_decoder(heads, kv_heads)
        logits_BTV = parity.logits_of(decoder)
        twin_BTV = parity.logits_of(parity.with_repeated_heads(decoder))
        grouped = parity.compare(logits_BTV, twin_BTV)
        name = f"{heads // kv_heads}_1"
        measure(f"cosine_repeated_{name}", grouped.cosine, samples=parity.batch().numel())
        parity.measure_reference(measure, decoder, name)
    parity.measure_reference(measure, parity.make_decoder(8, 2, family="llama"), "llama")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-005")
def test_a_tokenizer_of_the_models_size_is_accepted(
    measure: Measure, cli: Cli, tmp_path: Path
) -> None:
    """`apr pretrain --init` trains with a tokenizer that has an id for every row of the model.

    Refuted if the command refuses, or if tokenizer or model had another size than was meant.
    Survival does not show that the ids are the right ones for the model: no size can.
    """
    added = range(QWEN_ORDINARY, QWEN_ROWS)
    measure_acceptance(measure, cli, tmp_path, QWEN_ROWS, QWEN_ORDINARY, added)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-006")
def test_from_scratch_a_tokenizer_of_another_size_is_refused(
    measure: Measure,
    cli: Cli,
    from_scratch: Run,
    tmp_path: Path,
) -> None:
    """Without --init, tokenizer and model have one size; equal passes, larger and smaller fail.

    Refuted if any of the four unequal pairs is accepted or fails for another reason, or if the
    equal pair does not train. Rows reserved for later are an init checkpoint's privilege.
    Survival does not show anything about a run with --init.
    """
    measure("equal_exit_code", from_scratch[0].returncode)
    for ids, config in (
        (QWEN_ROWS, "llama-370m"),
        (QWEN_ROWS, "tiny-qwen2"),
        (QWEN_ADDED.stop, "qwen2-0.5b"),
        (SHAPES["llama-370m"].vocab_size - 1, "llama-370m"),
    ):
        run_dir = tmp_path / f"run-{ids}-{config}"
        done = pretrain(cli, unread_scene(tmp_path, ids), run_dir, "--config", config)
        measure_refusal(measure, done, run_dir)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-007")
def test_tensor_names_of_an_encoder_are_refused_whatever_the_metadata_claims(
    measure: Measure, tmp_path: Path
) -> None:
    """An encoder is known by what its tensors are called, even among a whole decoder's.

    Refuted if any of six encoders that claim to be decoders is not refused as an encoder, alone
    or with all tensors of a decoder beside its own, or if a real decoder is.
    Survival does not show an encoder whose tensors are named as none of these.
    """
    encoders, decoders_refused = [], 0
    for number, (container, shape) in enumerate(containers.stored_shapes()):
        whole = architectures.tensor_shapes(shape)
        metadata = container.describe(shape)
        decoder = containers.read(container.store(tmp_path / f"{number}", metadata, shape))
        decoders_refused += decoder.architecture is None
        for label, names in ENCODER_NAMES.items():
            alone = dict.fromkeys(names, (4, 4))
            for kind, tensors in (("alone", alone), ("among", whole | alone)):
                path = tmp_path / f"{number}-{label}-{kind}"
                encoders.append(containers.read(container.write(path, metadata, tensors)))
    measure("decoders_refused", decoders_refused)
    measure("encoders", len(encoders))
    for error_id in {reading.error_id for reading in encoders}:
        measure("error_id", error_id)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-007")
@pytest.mark.parametrize("label", ["bert", "bart"])
def test_a_run_from_an_encoder_is_refused(
    measure: Measure, cli: Cli, tmp_path: Path, label: str
) -> None:
    """`apr pretrain --init` of an encoder that claims to be a decoder writes nothing.

    Refuted if it ends other than with INIT_INVALID as an encoder, or if a run folder appears.
    """
    done = pretrain(cli, encoder_scene(tmp_path, label), tmp_path / "run")
    measure_refusal(measure, done, tmp_path / "run")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-008")
def test_the_contract_itself_is_valid(measure: Measure, cli: Cli) -> None:
    """`pv validate` finds no problem in this contract.

    Refuted if it finds one, a warning included. Survival says that the contract can be judged,
    and nothing about the trainer; the row is reported apart and never counted.
    """
    done = cli("pv", "validate", CONTRACT, cwd=ROOT)
    lines = re.findall(rf"^{re.escape(CONTRACT)}:\d+:\d+: PV\d+", done.stdout, re.MULTILINE)
    measure("problems", len(lines))
    measure("exit_code", done.returncode)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-009")
def test_a_tokenizer_that_leaves_rows_reserved_is_accepted(
    measure: Measure, cli: Cli, tmp_path: Path
) -> None:
    """`apr pretrain --init` trains with 151,665 ids on 151,936 rows: 271 rows are reserved.

    Refuted if the command refuses, or if the added tokens are not counted as ids.
    Survival does not show that the reserved rows stay as they were.
    """
    measure_acceptance(measure, cli, tmp_path, QWEN_ROWS, QWEN_ORDINARY, QWEN_ADDED)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-ARCH-010")
def test_an_id_without_a_row_is_refused_even_with_init(
    measure: Measure, cli: Cli, tmp_path: Path
) -> None:
    """With --init too, every id has a row: one above the last row is refused before training.

    Refuted if the command accepts one of three such tokenizers, refuses it for another reason,
    or leaves a run folder. Nothing else is wrong: dataset and checkpoint would train.
    Survival does not show ids in a dataset that its tokenizer does not know: CORPUS-009 does.
    """
    refused = 0
    for rows, ordinary, added in (
        (300, 300, (300,)),
        (300, architectures.BYTE_IDS, (300,)),
        (QWEN_ROWS, QWEN_ROWS + 1, ()),
    ):
        folder = tmp_path / f"{rows}-{ordinary}"
        narrow = architectures.narrow_shape(rows)
        scene = architectures.make_scene(folder, narrow, ordinary=ordinary, added=added)
        done = pretrain(cli, scene, folder / "run")
        measure_refusal(measure, done, folder / "run")
        refused += done.returncode != 0
        if not done.returncode:
            break  # it has trained: one is enough, and each more takes seconds
    measure("refused", refused)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-CUDA-001")
def test_cuda_starts_from_the_init_weights_and_computes_the_same(
    measure: Measure, cli: Cli, tmp_path: Path
) -> None:
    """On CUDA, the init weights arrive byte for byte and give the logits that the CPU gives.

    The saved checkpoint of a run of no updates is compared with the init file, the recorded
    step-0 losses of both devices with each other, and logits with logits.
    Refuted if a byte differs, or if losses or logits lie further apart than their bounds.
    Survival does not show speed, training on CUDA beyond step 0, or more than one device.
    """
    shape = architectures.Shape()
    scene = architectures.make_scene(tmp_path, shape, ordinary=shape.vocab_size)
    losses = {}
    for device in ("cpu", "cuda"):
        run_dir = tmp_path / f"run-{device}"
        flags = ("--device", device, "--dtype", "float32", "--num-steps", "0")
        done = pretrain(cli, scene, run_dir, *flags)
        measure("exit_code", done.returncode)
        losses[device] = report_of(done).get("step0", {}).get("val_loss", float("nan"))
    measure("step0_loss_difference", abs(losses["cuda"] - losses["cpu"]), "nats")
    written = tmp_path / "run-cuda" / "ckpt" / "epoch-000.apr"
    measure("mismatched_parameters", containers.count_mismatched(scene.init, written))
    from pv_falsifiers import attention_parity as parity  # noqa: PLC0415

    parity.measure_devices(measure, scene.init)


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-CUDA-002")
def test_unpaired_arguments_are_refused_before_the_device_is_touched(
    measure: Measure, tmp_path: Path
) -> None:
    """On CUDA, a shape without a checkpoint or a checkpoint without its shape is a usage error.

    Refuted if one of the three incomplete calls builds a model, fails in another way, does not
    name the function that was called, or has put a byte on the device.
    Survival does not show that callers pair the right shape with the right checkpoint.
    """
    import torch  # noqa: PLC0415 - as above

    from pv_trainer.checkpoints.init import build_model  # noqa: PLC0415 - brings torch

    shape = architectures.Shape()
    init = containers.APR.store(tmp_path / "init", architectures.apr_metadata(shape), shape)
    config, checkpoint = SHAPES["tiny-qwen2"], open_checkpoint(init)
    torch.cuda.init()  # type: ignore[no-untyped-call]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    for given in ((config, None), (None, checkpoint), (None, None)):
        error = error_of(partial(build_model, *given, device="cuda"))
        measure("error_id", getattr(error, "id", type(error).__name__))
        measure("names_the_function", build_model.__name__ in str(error))
    measure("device_bytes", torch.cuda.max_memory_allocated() - before, "B")


@pytest.mark.falsifies("FALSIFY-APR-PRETRAIN-INIT-CUDA-003")
@pytest.mark.parametrize("label", ["bert", "bart"])
def test_an_encoder_is_refused_on_cuda_too(
    measure: Measure, cli: Cli, tmp_path: Path, label: str
) -> None:
    """`apr pretrain --device cuda --init` of an encoder ends as on the CPU, and writes nothing.

    Refuted if it ends other than with INIT_INVALID as an encoder, or if a run folder appears.
    Survival does not show more than the check for the CPU, but on the other device.
    """
    scene = encoder_scene(tmp_path, label)
    done = pretrain(cli, scene, tmp_path / "run", "--device", "cuda")
    measure_refusal(measure, done, tmp_path / "run")


def error_of(call: Callable[[], object]) -> Exception | None:
    """What a call raises, whatever it is; None if it returns."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - a wrong kind of error is a measurement too
        return error
    return None
