"""Each effect alone, measured."""

import numpy as np
import pytest
from household import RATE_HZ, band_db, loudest_hz, rms, tone

from training.augment import microphone
from training.augment.augmenter import mixed, telephoned
from training.augment.fourier import bins_hz, block_for, filtered, kernel_spectrum
from training.augment.noises import KINDS, excerpt, noise_bank
from training.augment.rooms import Room, draw_room, impulse_response, reverberation_time_s
from training.augment.voice import pitch_shift, speaker_shift, stretch

RNG = np.random.default_rng


@pytest.mark.parametrize("semitones", [-3.0, -1.0, 0.5, 3.0])
@pytest.mark.parametrize("hz", [150.0, 2000.0])
def test_pitch_moves_by_the_stated_semitones(semitones: float, hz: float) -> None:
    sound = tone(hz, 1.5)
    for shift in (speaker_shift, pitch_shift):
        moved = 12 * np.log2(loudest_hz(shift(sound, semitones)) / hz)
        assert moved == pytest.approx(semitones, abs=0.15), shift.__name__
    assert len(pitch_shift(sound, semitones)) == pytest.approx(len(sound), rel=0.01)
    assert len(speaker_shift(sound, semitones)) == pytest.approx(len(sound) / 2 ** (semitones / 12), rel=0.01)


def test_speaker_shift_brings_no_images_and_keeps_loudness() -> None:
    shifted = speaker_shift(tone(5000, 1), 3.0)
    assert band_db(shifted, 5800, 6100) - max(band_db(shifted, 100, 5000), band_db(shifted, 6500, 8000)) > 40
    assert rms(shifted[1000:-1000]) == pytest.approx(rms(tone(5000, 1)), rel=0.01)


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.2])
def test_stretch_changes_duration_not_pitch(factor: float) -> None:
    sound = tone(180, 1) + tone(360, 1) * np.float32(0.3)
    longer = stretch(sound, factor)
    assert len(longer) == round(len(sound) * factor)
    assert loudest_hz(longer) == pytest.approx(180, rel=0.005)
    inner = longer[1600:-1600]
    assert rms(inner) == pytest.approx(rms(sound), rel=0.05)  # frames add in phase
    assert np.abs(np.lib.stride_tricks.sliding_window_view(inner, 400)).max(axis=1).min() > 0.4


def test_stretch_carries_events_along() -> None:
    clicks = np.zeros(RATE_HZ, np.float32)
    clicks[[4000, 12000]] = 1
    loud = np.flatnonzero(stretch(clicks, 1.2) > 0.3)
    assert loud.min() == pytest.approx(4800, abs=500) and loud.max() == pytest.approx(14400, abs=500)


@pytest.mark.parametrize("snr_db", [0.0, 7.5, 35.0])
@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_as_far_below_speech_as_stated(kind: str, snr_db: float) -> None:
    rng = RNG(1)
    noise = excerpt(KINDS[kind][0](5 * RATE_HZ, rng), 3 * RATE_HZ, rng)
    speech = tone(300, 3)
    added = mixed(speech, noise, rms(speech), snr_db).astype(np.float64) - speech
    assert 20 * np.log10(rms(speech) / rms(added)) == pytest.approx(snr_db, abs=0.5)


def test_kinds_of_noise_are_levelled_finite_and_unlike() -> None:
    bank = noise_bank(12, 3.0, RNG(2))
    assert set(bank) == set(KINDS)
    for clips in bank.values():
        for clip in clips:
            assert clip.dtype == np.float32 and np.isfinite(clip).all()
            assert rms(clip) == pytest.approx(1, abs=1e-3)
    crest = {kind: np.mean([np.abs(clip).max() for clip in clips]) for kind, clips in bank.items()}
    assert crest["clatter"] > 2 * crest["coloured"]  # clatter is impulses


@pytest.mark.parametrize("t60_s", [0.1, 0.25, 0.5, 0.8])
def test_rooms_decay_as_asked(t60_s: float) -> None:
    for seed in range(3):
        drawn = draw_room(RNG(seed))
        response = impulse_response(Room(drawn.sides_m, drawn.speaker_m, drawn.microphone_m, t60_s))
        assert reverberation_time_s(response) == pytest.approx(t60_s, rel=0.3)
        assert response[0] == pytest.approx(1) and np.isfinite(response).all()


def test_farther_is_more_reverberant() -> None:
    def diffuse(distance_m: float) -> float:
        room = Room((6.0, 5.0, 2.6), (1.0, 2.0, 1.5), (1.0 + distance_m, 2.0, 1.5), 0.5)
        response = impulse_response(room)
        return float(np.sum(response[80:] ** 2) / np.sum(response[:80] ** 2))

    assert diffuse(0.3) < 0.5 * diffuse(1.2) < 0.5 * diffuse(4.0)


def test_rooms_differ_in_distance_and_time() -> None:
    rooms = [draw_room(RNG(seed)) for seed in range(100)]
    assert min(room.distance_m for room in rooms) < 0.5 and max(room.distance_m for room in rooms) > 4
    assert min(room.t60_s for room in rooms) < 0.15 and max(room.t60_s for room in rooms) > 0.7


@pytest.mark.parametrize("length", [1, 700, 40_001])
def test_filtering_in_blocks_is_convolution(length: int) -> None:
    rng = RNG(3)
    sound, kernel = rng.standard_normal(length, dtype=np.float32), rng.standard_normal(3000, dtype=np.float32)
    ours = filtered(sound, kernel_spectrum(kernel, block_for(3000)), 3000)
    assert np.allclose(ours, np.convolve(sound, kernel)[:length], atol=2e-3)


def test_band_limits_in_the_spectrum() -> None:
    white = RNG(4).standard_normal(4 * RATE_HZ, dtype=np.float32)
    telephone = telephoned(white)
    assert band_db(telephone, 800, 2500) == pytest.approx(band_db(white, 800, 2500), abs=0.5)
    assert band_db(telephone, 4100, 8000) < band_db(white, 4100, 8000) - 40
    assert band_db(telephone, 10, 100) < band_db(white, 10, 100) - 18
    hz = bins_hz(4096)
    low = filtered(white, microphone.low_pass(hz, 3000))
    assert band_db(low, 2950, 3050) == pytest.approx(band_db(white, 2950, 3050) - 3, abs=0.5)
    assert band_db(low, 5900, 6100) == pytest.approx(band_db(white, 5900, 6100) - 24, abs=1)
    high = filtered(white, microphone.high_pass(hz, 400))
    assert band_db(high, 390, 410) == pytest.approx(band_db(white, 390, 410) - 3, abs=1)
    assert band_db(high, 195, 205) == pytest.approx(band_db(white, 195, 205) - 12.3, abs=1.5)


def test_clipping_clips() -> None:
    sound = microphone.clip(tone(200, 1) * 4)
    assert np.abs(sound).max() == 1 and np.mean(np.abs(sound) == 1) > 0.5


def test_mu_law_and_bits() -> None:
    levels = np.unique(microphone.mu_law(np.linspace(-1, 1, 100_000, dtype=np.float32)))
    assert 250 <= len(levels) <= 256
    for amplitude in (1.0, 0.01):  # its point: quiet speech keeps its quality
        sound = tone(440, 1) * np.float32(2 * amplitude)
        assert 20 * np.log10(rms(sound) / rms(microphone.mu_law(sound) - sound)) > 25
    assert len(np.unique(microphone.quantise(tone(440, 1) * 2, 7))) <= 129


def test_high_frequencies_decay_first() -> None:
    sides, speaker, at = (5.0, 4.0, 2.5), (1.0, 1.0, 1.5), (3.0, 2.5, 1.0)
    bands = []
    for ratio in (1.0, 0.5):
        late = impulse_response(Room(sides, speaker, at, 0.5, ratio))[2400:]
        bands.append(band_db(late, 4000, 8000) - band_db(late, 200, 1000))
    assert bands[1] < bands[0] - 6
