"""Attention within a window, against the graph that harkd compiles with one."""

import pytest
import torch
from compiled import EMBEDDED, heard_by_harkd, logits_of

from training.errors import TrainingFault
from training.model import check_window, load_checkpoint, window_mask


@torch.inference_mode()
def test_windows_are_those_of_the_compiled_encoder(tmp_path):
    model, whole = load_checkpoint(EMBEDDED).eval(), load_checkpoint(EMBEDDED).eval()
    model.model.encoder.attention_window = 32
    for case in heard_by_harkd(tmp_path, EMBEDDED, "fp32", window=32):
        assert case.hidden.shape[1] > 32
        hidden = model.encode(case.log_mel)
        assert (hidden - case.hidden).abs().max() < 1e-4
        assert (whole.encode(case.log_mel) - case.hidden).abs().max() > 1e-2
        assert (logits_of(model, case.tokens, hidden) - case.logits).abs().max() < 1e-3


@pytest.mark.parametrize("window", [16, 20, 64])
def test_every_position_hears_itself_and_a_quarter_of_a_window_around(window):
    for positions in range(1, 3 * window):
        mask = window_mask(positions, window)
        assert (mask.sum(1) == min(window, positions)).all()
        reach = min(window // 4, positions)
        for position in range(positions):
            near = slice(max(0, position - reach), position + reach + 1)
            assert mask[position, near].all()


@pytest.mark.parametrize("window", [0, 8, 510, -512, 1 << 20])
def test_windows_that_harkd_refuses_are_refused(window):
    with pytest.raises(TrainingFault, match=f"WINDOW_INVALID.*got {window}"):
        check_window(window)
