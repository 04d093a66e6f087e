"""The one table of IDs that an error message of `apr` may carry, and what each means.

Most are falsifiers: a contract declares them, and pv tries to refute what they say. The others
are in `UNDECLARED`: no contract declares them, and only the trainer's own tests hold them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final


if TYPE_CHECKING:
    from collections.abc import Mapping

INIT_FLAG: Final = "FALSIFY-APR-PRETRAIN-INIT-001"
INIT_MISSING: Final = "FALSIFY-APR-PRETRAIN-INIT-003"
INIT_FORMAT: Final = "FALSIFY-APR-PRETRAIN-INIT-004"
INIT_METADATA: Final = "FALSIFY-APR-PRETRAIN-INIT-005"
INIT_POPULATION: Final = "FALSIFY-APR-PRETRAIN-INIT-007"
INIT_FRESH_OPTIMIZER: Final = "FALSIFY-APR-PRETRAIN-INIT-009"
INIT_READ: Final = "FALSIFY-APR-PRETRAIN-INIT-011"
ARCH_MATCH: Final = "FALSIFY-APR-PRETRAIN-ARCH-MATCH-001"
ARCH_FIELD: Final = "FALSIFY-APR-PRETRAIN-ARCH-003"
ARCH_TOKENIZER_EQUAL: Final = "FALSIFY-APR-PRETRAIN-ARCH-006"
ARCH_ENCODER: Final = "FALSIFY-APR-PRETRAIN-ARCH-007"
ARCH_TOKENIZER_FITS: Final = "FALSIFY-APR-PRETRAIN-ARCH-010"
UNPAIRED: Final = "FALSIFY-APR-PRETRAIN-INIT-CUDA-002"
DEVICE_GRAMMAR: Final = "GPUTRAIN-001"
DEVICE_UNAVAILABLE: Final = "GPUTRAIN-002"
CORPUS_UNKNOWN: Final = "CORPUS-001"
CORPUS_ENTROPY: Final = "CORPUS-002"
CORPUS_DISTINCT: Final = "CORPUS-003"
CORPUS_ROUND_TRIP: Final = "CORPUS-004"
CORPUS_DISJOINT: Final = "CORPUS-005"
CORPUS_SPECIAL_IDS: Final = "CORPUS-006"
CORPUS_EOS: Final = "CORPUS-007"
CORPUS_MANIFEST: Final = "CORPUS-008"
CORPUS_ID_RANGE: Final = "CORPUS-009"
DIVERGENCE: Final = "GATE-TRAIN-005"
NOT_FINITE: Final = "GATE-TRAIN-007"
EPOCH_ARTIFACTS: Final = "INV-TRAIN-002"
EXHAUSTION: Final = "INV-TRAIN-011"
CHECKPOINT: Final = "CKPT-001"
RESUME_SETTINGS: Final = "RESUME-001"
RESUME_STATE: Final = "RESUME-002"
STAMP: Final = "APR-STAMP-001"
PUBLISH: Final = "APR-PUBLISH-001"
USAGE: Final = "APR-CLI-001"
INTERRUPTED: Final = "APR-CLI-130"

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        INIT_FLAG: "the --init flag is accepted and means what it says",
        INIT_MISSING: "the init checkpoint exists",
        INIT_FORMAT: "the init checkpoint is a checkpoint in a format that is read",
        INIT_METADATA: "the init checkpoint's metadata is there and makes sense",
        INIT_POPULATION: "the init checkpoint supplies every parameter, exactly, and no more",
        INIT_FRESH_OPTIMIZER: "optimizer state and schedule start fresh after an init",
        INIT_READ: "every byte of the init checkpoint can be read and is what was written",
        ARCH_MATCH: "the claimed family is the family that the tensor names show",
        ARCH_FIELD: "every architecture field is in the checkpoint; none has a default",
        ARCH_TOKENIZER_EQUAL: "from scratch, tokenizer and model have the same vocabulary size",
        ARCH_ENCODER: "an encoder checkpoint is refused",
        ARCH_TOKENIZER_FITS: "the tokenizer's ids fit into the model's vocabulary",
        UNPAIRED: "architecture and checkpoint come together or not at all",
        DEVICE_GRAMMAR: "the device is spelled cpu, cuda, cuda:0 to cuda:15, or auto",
        DEVICE_UNAVAILABLE: "a device that was asked for by name is used or the run stops",
        CORPUS_UNKNOWN: "the share of unknown tokens is within its bound",
        CORPUS_ENTROPY: "the entropy of the tokens, in bits, is above its bound",
        CORPUS_DISTINCT: "the number of distinct ids is above its bound",
        CORPUS_ROUND_TRIP: "sampled windows decode to the source text",
        CORPUS_DISJOINT: "training and validation share no document",
        CORPUS_SPECIAL_IDS: "special ids are among the tokenizer's added tokens",
        CORPUS_EOS: "the number of end-of-text tokens is what the policy says",
        CORPUS_MANIFEST: "the shards are what their manifest says",
        CORPUS_ID_RANGE: "every id is below the vocabulary size",
        DIVERGENCE: "a validation loss that doubles, or starts above its bound, stops the run",
        NOT_FINITE: "a NaN or an infinity stops the run",
        EPOCH_ARTIFACTS: "each epoch leaves a checkpoint and its metadata",
        EXHAUSTION: "the end of the data is a status of its own, never a number",
        CHECKPOINT: "a checkpoint is written whole and verified by re-reading",
        RESUME_SETTINGS: "a resumed run keeps the inputs and settings that it began with",
        RESUME_STATE: "a run is resumed from a whole checkpoint, or not at all",
        STAMP: "a stamp says what the record of the checkpoint's own run says",
        PUBLISH: "a release is written only if its gate is met, and is what was measured",
        USAGE: "the command line makes sense",
        INTERRUPTED: "the run ended by a signal",
    }
)

UNDECLARED: Final = frozenset(
    {
        *(CORPUS_UNKNOWN, CORPUS_ENTROPY, CORPUS_DISTINCT, CORPUS_ROUND_TRIP, CORPUS_DISJOINT),
        *(CORPUS_SPECIAL_IDS, CORPUS_EOS, CORPUS_MANIFEST, CORPUS_ID_RANGE),
        *(DEVICE_GRAMMAR, DEVICE_UNAVAILABLE),
        *(DIVERGENCE, NOT_FINITE, EPOCH_ARTIFACTS, EXHAUSTION, CHECKPOINT),
        *(RESUME_SETTINGS, RESUME_STATE, STAMP, PUBLISH, USAGE, INTERRUPTED),
    }
)
"""IDs that no contract declares. Who writes a contract for one takes it out of here."""

REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        INIT_MISSING: "check the path",
        INIT_FORMAT: "give a .apr file, a .safetensors file or a Hugging Face folder",
        INIT_METADATA: "take it again from where the model was published, or correct it there",
        INIT_POPULATION: "give the whole checkpoint of this architecture; nothing was loaded",
        INIT_READ: "copy the file again from where it came from",
        ARCH_MATCH: "correct the metadata, or give the checkpoint that it describes",
        ARCH_FIELD: "add it there, with the value that the model was trained with",
        ARCH_ENCODER: "give a checkpoint of the Llama or Qwen2 family",
        DEVICE_GRAMMAR: "use --device cpu, cuda, cuda:0 to cuda:15, or auto",
        CORPUS_MANIFEST: "correct what is named, or encode the text again",
        CORPUS_DISJOINT: "encode again with --hold-out, or give another --val-shard",
        CHECKPOINT: "free the disk or choose another folder; earlier checkpoints are untouched",
        RESUME_SETTINGS: "leave the flag out, or start a new run with --run-dir",
        RESUME_STATE: "start a new run; --init takes any whole checkpoint of this one",
        STAMP: "stamp a checkpoint in the folder of the run that wrote it",
        USAGE: "see --help",
    }
)
"""What to do where a message names nothing more particular."""
