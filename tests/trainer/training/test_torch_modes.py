from __future__ import annotations

from typing import TYPE_CHECKING

import torch


if TYPE_CHECKING:
    from collections.abc import Callable

    from pv_trainer.model.config import ModelConfig
    from pv_trainer.model.decoder import Decoder


def test_the_trunk_is_one_graph_and_one_more_for_other_sizes_of_a_batch(
    make_config: Callable[..., ModelConfig], make_model: Callable[..., Decoder]
) -> None:
    """A break would send every layer's tensors through Python again, unseen."""
    from torch._dynamo.testing import CompileCounter  # half a second, for this alone

    torch.compiler.reset()
    model = make_model(make_config())
    counter = CompileCounter()
    hidden = torch.compile(model.hidden, backend=counter, fullgraph=True)
    graphs = []
    for rows in (8, 8, 3, 5, 8, 2):
        ids_BT = torch.zeros(rows, 16, dtype=torch.int64)
        hidden(ids_BT).sum().backward()  # type: ignore[no-untyped-call]
        graphs.append(counter.frame_count)
    torch.compiler.reset()
    assert graphs == [1, 1, 2, 2, 2, 2]
