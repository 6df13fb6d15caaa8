"""The pipeline as a whole: spans, determinism, hostile input, clips without words, the mel, the command."""

import argparse
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from household import RATE_HZ, Household, rms, tone
from test_features import GOLDEN

from training.augment import Augmenter, Effect, Table, mel_stretch_factor, spec_augment, stretch_mel
from training.augment.table import DEFAULT_TABLE
from training.augment.talkers import FEWEST_TALKERS, babble, talkers, television
from training.features import log_mel


@pytest.fixture(scope="module")
def household() -> Household:
    return Household()


def small(household: Household | None, seed: int = 0, **more) -> Augmenter:
    return Augmenter(household, seed, rooms=6, noise_clips=8, **more)


@pytest.fixture(scope="module")
def augmenter(household: Household) -> Augmenter:
    return small(household)


def only(**effects: Effect) -> Table:
    """A table in which nothing happens but `effects`."""
    effects_of = {name: effect for name, effect in vars(Table()).items() if isinstance(effect, Effect)}
    never = {name: replace(effect, probability=0.0) for name, effect in effects_of.items()}
    kept = {name: getattr(Table(), name) for name in ("lead_s", "tail_s", "long_pad_s")}
    loud = {"level_dbfs": Effect(1.0, -6.0, -6.0, -6.0)}
    return Table(**{**never, **kept, **loud, **effects})


def test_spans_follow_the_speech_through_changes_of_time(household: Household) -> None:
    in_time = ("speaker_semitones", "time_stretch")
    always = {name: replace(getattr(Table(), name), probability=1.0) for name in in_time}
    augment = small(household, table=only(**always))
    speech = tone(400, 1.2)
    lengths = []
    for turn in range(60):
        out = augment(speech, 1.0, long_pad=turn % 2 == 1)
        loud = np.flatnonzero(np.abs(out.samples) > 0.05)
        assert loud[0] / RATE_HZ == pytest.approx(out.speech_start_s, abs=0.01)
        assert loud[-1] / RATE_HZ == pytest.approx(out.speech_end_s, abs=0.012)
        lengths.append(out.speech_end_s - out.speech_start_s)
    assert min(lengths) < 1.05 < 1.4 < max(lengths)


def test_silence_around_keeps_its_bounds(augmenter: Augmenter) -> None:
    def around(long_pad: bool) -> np.ndarray:
        outs = [augmenter(tone(300, 0.5), 0.5, long_pad) for _ in range(60)]
        return np.array([(out.speech_start_s, len(out.samples) / RATE_HZ - out.speech_end_s) for out in outs])

    near, far = around(False), around(True)
    assert (near >= 0).all() and (near <= 0.5).all() and near.max() > 0.4
    assert (far <= 3.0).all() and far.max() > 1.5


def test_noise_covers_the_whole_clip(household: Household) -> None:
    augment = small(household, table=only(noise_snr_db=Effect(1.0, 0.0, 5.0, 35.0)))
    for _ in range(20):
        out = augment(tone(300, 1), 1.0, long_pad=True)
        start, end = int(out.speech_start_s * RATE_HZ), int(out.speech_end_s * RATE_HZ)
        for edge in (out.samples[:start], out.samples[end:]):
            assert len(edge) < 800 or rms(edge) > 0


def test_noise_as_loud_as_the_words_is_heard_at_the_strength_of_trainings() -> None:
    rng = np.random.default_rng(7)
    heard_db = [DEFAULT_TABLE.noise_snr_db.amount(0.8, rng) for _ in range(1000)]
    assert min(heard_db) < 2 and max(heard_db) > 30
    assert np.mean(np.array(heard_db) < 8) > 0.15


def test_levels_and_strength(augmenter: Augmenter, household: Household) -> None:
    speech = household.utterances[0].sound
    peaks_db = [20 * np.log10(np.abs(augmenter(speech, 1.0).samples).max()) for _ in range(80)]
    assert max(peaks_db) <= 0.01 and min(peaks_db) > -31 and np.ptp(peaks_db) > 20
    for _ in range(20):  # at strength 0 only silence around, the level and a hiss far below
        out = augmenter(speech, 0.0)
        start = round(out.speech_start_s * RATE_HZ)
        part = out.samples[start : start + len(speech)]
        assert len(part) == len(speech) and np.corrcoef(part, speech)[0, 1] > 0.999


def test_same_seed_same_sounds(household: Household) -> None:
    from training.augment import augmenter as module

    def run(seed: int) -> list[np.ndarray]:
        module._banks.cache_clear()  # the banks, too, must come from the seed
        augment, speech = small(household, seed), household.utterances[1].sound
        return [augment(speech, 1.0).samples for _ in range(12)] + [augment.nothing(2.0) for _ in range(12)]

    first, again, other = run(7), run(7), run(8)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("length", [0, 1, 2, 17, 400, 60 * RATE_HZ])
def test_any_length_and_silence_stay_finite(augmenter: Augmenter, length: int) -> None:
    inputs = (np.zeros(length, np.float32), np.ones(length, np.float32), np.full(length, 1e-30, np.float32))
    for samples in inputs:
        for _ in range(3 if length > RATE_HZ else 40):
            out = augmenter(samples, 1.0, long_pad=True)
            assert out.samples.dtype == np.float32 and out.samples.ndim == 1
            assert np.isfinite(out.samples).all() and np.abs(out.samples).max(initial=0) <= 1
            assert 0 <= out.speech_start_s <= out.speech_end_s <= len(out.samples) / RATE_HZ


def test_refuses_wrong_input(augmenter: Augmenter) -> None:
    for wrong in (np.zeros((2, 100), np.float32), np.zeros(100, np.int16), np.full(9, np.nan, np.float32)):
        with pytest.raises(ValueError, match="samples: expected"):
            augmenter(wrong, 1.0)
    with pytest.raises(ValueError, match="strength"):
        augmenter(tone(300, 1), 1.5)


def test_input_is_left_as_it_was(augmenter: Augmenter) -> None:
    speech = tone(300, 1)
    before = speech.copy()
    speech.flags.writeable = False  # as a memory-mapped corpus is
    for _ in range(30):
        augmenter(speech, 1.0)
    assert np.array_equal(speech, before)


def test_babble_is_three_talkers_at_every_moment(household: Household) -> None:
    for seed in range(10):
        voices = talkers(household, 4 * RATE_HZ, np.random.default_rng(seed))
        assert len(voices) >= FEWEST_TALKERS
        levels = np.array([rms(voice) for voice in voices])
        assert levels.max() < 2.2 * levels.min()  # no one stands out
        total = babble(household, 4 * RATE_HZ, np.random.default_rng(seed))
        for said in household.utterances:
            alone = said.sound
            spectrum = np.fft.rfft(total, 1 << 17) * np.conj(np.fft.rfft(alone, 1 << 17))
            likeness = np.abs(np.fft.irfft(spectrum)).max() / (np.linalg.norm(alone) * np.linalg.norm(total))
            assert likeness < 0.75


def test_television_is_band_limited(household: Household) -> None:
    from household import band_db

    music = np.random.default_rng(0).standard_normal(3 * RATE_HZ).astype(np.float32)
    sound = television(household, music, np.random.default_rng(1))
    assert band_db(sound, 7300, 8000) < band_db(sound, 800, 2000) - 10
    assert rms(sound) == pytest.approx(1, abs=1e-3)


def test_nothing_says_nothing(household: Household, augmenter: Augmenter, monkeypatch) -> None:
    """Speech may enter a clip without words only through talkers(), three or more at once."""
    from training.augment import talkers as module

    counts = []

    def counted(*given, **named):
        voices = talkers(*given, **named)
        counts.append(len(voices))
        return voices

    monkeypatch.setattr(module, "talkers", counted)

    def reads() -> int:
        return sum(clip.reads for clip in household.utterances)

    for _ in range(150):
        before, heard = len(counts), reads()
        clip = augmenter.nothing(3.0)
        assert 0.5 * RATE_HZ <= len(clip) <= 3 * RATE_HZ
        assert np.isfinite(clip).all() and np.abs(clip).max() <= 1
        assert len(counts) > before or reads() == heard
    assert len(counts) > 20 and min(counts) >= FEWEST_TALKERS


@pytest.mark.parametrize("corpus", [None, Household(2)])
def test_without_enough_talkers_there_is_no_babble(corpus: Household | None) -> None:
    augment = small(corpus)
    for _ in range(60):
        assert np.isfinite(augment.nothing(0.8)).all()
        assert np.isfinite(augment(tone(300, 0.3), 1.0).samples).all()


def test_mel_stretch() -> None:
    mel = torch.rand(2, 80, 301)
    assert stretch_mel(mel, 1.35).shape == (2, 80, 406) and stretch_mel(mel, 100).shape == (2, 80, 3000)
    factors = [mel_stretch_factor(1.0, np.random.default_rng(seed)) for seed in range(200)]
    assert 0.9 <= min(factors) < 0.95 and 1.3 < max(factors) <= 1.35
    assert 0.3 < np.mean(np.array(factors) == 1) < 0.7


NEVER = Effect(0.0, 0.0, 1.0, 0.0)


def voices_off() -> Table:
    """The table without what makes other voices of a spectrogram."""
    off = Effect(0.0, -0.1, 0.1, 0.0)
    return replace(Table(), tract_log_factor=off, timbre=off, rhythm_log_factor=off)


def test_spec_augment_masks_and_warps() -> None:
    mel = log_mel(torch.from_numpy(np.stack([tone(1000, 2)] * 40)))
    before = mel.clone()
    masks_only = voices_off()
    out = spec_augment(mel, 1.0, np.random.default_rng(0), masks_only)
    assert torch.equal(mel, before) and torch.isfinite(out).all()
    changed = (out != mel).float().mean(dim=(1, 2))
    assert 0.02 < changed.mean() < 0.25 and changed.max() < 0.55
    assert torch.equal(spec_augment(mel, 0.0, np.random.default_rng(0)), mel)
    for log_factor in (-0.12, 0.12):
        warp = replace(
            voices_off(),
            tract_log_factor=Effect(1.0, log_factor, log_factor + 1e-6, 0.0),
            frequency_mask_bins=NEVER,
            time_mask_frames=NEVER,
        )
        warped = spec_augment(mel, 1.0, np.random.default_rng(0), warp)
        moved = log_mel(torch.from_numpy(tone(1000 * np.exp(log_factor), 2))[None])
        loudest = [int(each[0].mean(dim=1).argmax()) for each in (mel, warped, moved)]
        assert abs(loudest[1] - loudest[2]) <= 1 and loudest[1] != loudest[0]


def test_timbre_moves_the_mean_spectrum_to_another_utterance_and_no_words() -> None:
    noise = torch.randn(2, 80, 200, generator=torch.Generator().manual_seed(1)) * 0.05
    slope = torch.linspace(-0.14, 0.14, 80)[None, :, None]
    mel = noise + torch.cat([slope, -slope])
    table = replace(
        voices_off(),
        timbre=Effect(1.0, 1.0, 1.0, 0.0),
        frequency_mask_bins=NEVER,
        time_mask_frames=NEVER,
    )
    out = spec_augment(mel, 1.0, np.random.default_rng(0), table)
    for item, other in ((0, 1), (1, 0)):
        tilt = (out[item].mean(dim=1) * slope[0, :, 0]).sum() / (slope**2).sum()
        assert tilt == pytest.approx(1.0 if other == 0 else -1.0, abs=0.15)
        assert out[item].mean() == pytest.approx(float(mel[item].mean()), abs=0.02)
        # the same for every frame: what is said is untouched, but for the floor
        moved = out[item] - mel[item]
        free = out[item] > mel[item].min() + 1e-6
        assert ((moved - moved.median(dim=1, keepdim=True).values).abs() < 1e-5)[free].all()


def test_rhythm_moves_words_and_keeps_their_order_and_the_length() -> None:
    ramp = torch.arange(200.0).expand(3, 80, 200)
    table = replace(
        voices_off(),
        rhythm_log_factor=Effect(1.0, -0.3, 0.3, 0.0),
        frequency_mask_bins=NEVER,
        time_mask_frames=NEVER,
    )
    out = spec_augment(ramp, 1.0, np.random.default_rng(0), table)
    assert out.shape == ramp.shape and torch.allclose(out[..., 0], torch.tensor(0.0))
    assert out[..., -1].min() == pytest.approx(199, abs=1e-2)
    tempo = out.diff(dim=2)
    assert tempo.min() > 0.5 and tempo.max() < 2
    assert (out - ramp).abs().amax(dim=(1, 2)).min() > 1
    assert not torch.allclose(out[0], out[1])


@pytest.mark.parametrize("frames", [2, 14])
def test_spec_augment_takes_short_clips(frames: int) -> None:
    for seed in range(20):
        assert torch.isfinite(spec_augment(torch.rand(3, 80, frames), 1.0, np.random.default_rng(seed))).all()


def test_cost(household: Household, augmenter: Augmenter) -> None:
    """About 2 ms on an idle core; counted in Fourier transforms made meanwhile, since machines are shared.

    On one thread, as in training: several wait for each other on a busy machine, and waiting counts.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    speech = np.resize(household.utterances[1].sound, 40_000)
    noise = np.random.default_rng(0).standard_normal(1 << 16, dtype=np.float32)
    ours_s = transforms_s = 0.0
    for _ in range(100):
        start_s = time.process_time()
        augmenter(speech, 1.0)
        between_s = time.process_time()
        np.fft.irfft(np.fft.rfft(noise))
        ours_s, transforms_s = ours_s + between_s - start_s, transforms_s + time.process_time() - between_s
    torch.set_num_threads(threads)
    print(f"augmentation of 2.5 s: {ours_s * 10:.2f} ms; two transforms: {transforms_s * 10:.2f} ms")
    assert ours_s < 3 * transforms_s


def test_command(tmp_path, capsys) -> None:
    from training.augment.command import arguments, read_wav, run
    from training.errors import TrainingFault

    parser = argparse.ArgumentParser()
    arguments(parser)
    out = str(tmp_path / "out.wav")
    assert run(parser.parse_args([str(GOLDEN / "g1.wav"), out, "--seed", "3", "--strength", "0.5"])) == 0
    assert "speech from" in capsys.readouterr().out
    assert rms(read_wav(tmp_path / "out.wav")) > 1e-3
    (tmp_path / "not.wav").write_bytes(b"text")
    with pytest.raises(TrainingFault):
        read_wav(tmp_path / "not.wav")


EFFECTS_ON_SAMPLES = [
    "speaker_semitones",
    "pitch_semitones",
    "time_stretch",
    "room",
    "equaliser_db",
    "high_pass_hz",
    "low_pass_hz",
    "noise_snr_db",
    "white_amplitude",
    "hiss_snr_db",
    "clip_db",
    "telephone",
    "mu_law",
    "bits",
]


@pytest.mark.parametrize("name", EFFECTS_ON_SAMPLES)
def test_each_effect_of_the_table_is_heard(household: Household, name: str) -> None:
    """Against the same calls without it; so no row of the table is forgotten by the pipeline."""
    speech = household.utterances[3].sound
    silent = {side: Effect(1.0, 0.1, 0.1, 0.0, always=True) for side in ("lead_s", "tail_s")}
    chosen = {name: replace(getattr(Table(), name), probability=1.0)}
    plain = small(household, table=only(**silent))(speech, 1.0).samples
    augment = small(household, table=only(**silent, **chosen))
    heard = [augment(speech, 1.0).samples for _ in range(4)]
    changed = [len(each) != len(plain) or rms(each - plain) > 1e-5 for each in heard]
    assert all(changed)
    assert np.abs(np.concatenate(heard)).max() == pytest.approx(0.5, abs=0.03)  # the level of only()
