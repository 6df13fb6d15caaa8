"""What may happen to an utterance, how often and how much: the one table of the augmentation."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Effect:
    """An effect that happens with `probability`, its amount drawn evenly from `low` to `high`.

    `neutral` is the amount that does nothing. Strength (0..1) scales both the probability and the distance
    from `neutral`, so that a run can begin on nearly clean speech. An effect that is `always` on keeps its
    probability: a recording never lacks it.
    """

    probability: float
    low: float
    high: float
    neutral: float
    always: bool = False

    def happens(self, strength: float, rng: np.random.Generator) -> bool:
        return rng.random() < self.probability * (1.0 if self.always else strength)

    def amount(self, strength: float, rng: np.random.Generator) -> float:
        return self.neutral + strength * (rng.uniform(self.low, self.high) - self.neutral)


def _effect(probability: float, low: float, high: float, neutral: float, always: bool = False) -> Effect:
    return field(default_factory=lambda: Effect(probability, low, high, neutral, always))


@dataclass(frozen=True)
class Table:
    """Every effect. Probabilities and ranges are those at strength 1."""

    #: Semitones by plain resampling: pitch, formants and speed move together, as in a smaller person.
    #: The cheapest change of speaker, and synthesisers have few: +-3 semitones keep speech human.
    speaker_semitones: Effect = _effect(0.45, -3.0, 3.0, 0.0)
    #: Semitones with the duration kept: costs a stretch on top, hence rarer.
    pitch_semitones: Effect = _effect(0.08, -3.0, 3.0, 0.0)
    #: Duration as a factor, pitch kept.
    time_stretch: Effect = _effect(0.15, 0.8, 1.2, 1.0)
    #: The same on the mel of a whole batch, at no cost: up to 1.35 because synthesisers speak about 3.1 words
    #: a second and people in a kitchen fewer.
    mel_stretch: Effect = _effect(0.50, 0.9, 1.35, 1.0)

    #: Silence before and after the words, in seconds: what a voice activity detector leaves on.
    lead_s: Effect = _effect(1.0, 0.0, 0.5, 0.0, always=True)
    tail_s: Effect = _effect(1.0, 0.0, 0.5, 0.0, always=True)
    #: With `long_pad`: without it, long silence makes the model lose words (recall 44 % -> 8 %).
    long_pad_s: Effect = _effect(0.6, 0.0, 2.5, 0.0, always=True)

    #: A room of the bank; strength scales only how often. Far-field microphones nearly always hear one.
    room: Effect = _effect(0.50, 0.0, 1.0, 0.0)
    #: Gain in dB at each knot of a random response (standard deviation), as cheap microphones differ.
    equaliser_db: Effect = _effect(0.50, 1.0, 6.0, 0.0)
    #: Corner frequencies in Hz: wind filters and small capsules below, slow converters and cloth above.
    high_pass_hz: Effect = _effect(0.20, 60.0, 400.0, 20.0)
    low_pass_hz: Effect = _effect(0.20, 2800.0, 7500.0, 8000.0)

    #: Noise over the whole clip, in dB below the speech: 0 dB is as loud as the words, at 35 dB barely heard.
    #: Trainings run at a strength of about 0.8, which makes 0.6 to 32.6 dB of it: from 0 dB it would be 7 dB, and a
    #: model that has never heard worse gets twice as many words wrong at 5 dB as at 10.
    noise_snr_db: Effect = _effect(0.70, -8.0, 32.0, 35.0)
    #: White noise of this amplitude (standard deviation, full scale = 1) when speech peaks at full scale.
    white_amplitude: Effect = _effect(0.10, 0.01, 0.05, 0.0)
    #: The converter's own hiss, for clips that got no noise: no microphone gives digital silence.
    hiss_snr_db: Effect = _effect(0.80, 35.0, 65.0, 65.0, always=True)

    #: Peak level in dBFS. Quiet far speech is the rule on boards without gain control.
    level_dbfs: Effect = _effect(1.0, -30.0, 0.0, -6.0, always=True)
    #: Overdrive in dB before the converter cuts off at full scale.
    clip_db: Effect = _effect(0.05, 1.0, 12.0, 0.0)
    #: Telephone band (300-3400 Hz, 8 kHz): headsets over Bluetooth, intercoms.
    telephone: Effect = _effect(0.06, 0.0, 1.0, 0.0)
    #: 8-bit mu-law (G.711), by itself or after the telephone band.
    mu_law: Effect = _effect(0.06, 0.0, 1.0, 0.0)
    #: Bits of a coarse converter or codec.
    bits: Effect = _effect(0.05, 7.0, 12.0, 16.0)

    #: Frequency warp of the mel (vocal tract length), as the logarithm of the factor.
    tract_log_factor: Effect = _effect(0.6, -0.14, 0.14, 0.0)
    #: What is added to it at the highest frequency and taken away at the lowest: vocal tracts differ in shape, too.
    tract_log_tilt: Effect = _effect(0.8, -0.06, 0.06, 0.0)
    #: How far the mean spectrum moves towards another utterance's: 1 is all the way.
    timbre: Effect = _effect(0.5, 0.0, 1.2, 0.0)
    #: Tempo within an utterance, as the logarithm of the factor: synthesisers keep time, people do not.
    rhythm_log_factor: Effect = _effect(0.5, -0.3, 0.3, 0.0)
    #: SpecAugment (Park et al. 2019): two masks of each kind at most; widths in mel bins and in 10-ms frames.
    #: Wider than 0.2 s would hide whole words of short commands.
    frequency_mask_bins: Effect = _effect(0.67, 0.0, 12.0, 0.0)
    time_mask_frames: Effect = _effect(0.67, 0.0, 20.0, 0.0)

    #: Clips without words: their loudness (root mean square), and the converter's hiss in them.
    nothing_level_dbfs: Effect = _effect(1.0, -65.0, -12.0, -65.0, always=True)
    nothing_hiss_dbfs: Effect = _effect(0.9, -100.0, -60.0, -100.0, always=True)
    #: How often they are heard in a room, and how much of the microphone's effects they get.
    nothing_room: Effect = _effect(0.5, 0.0, 1.0, 0.0)
    nothing_microphone_strength: float = 0.7


DEFAULT_TABLE = Table()

#: What the noise under speech is, in parts; babble and television only where there is a corpus.
NOISE_SHARES: dict[str, float] = {
    "coloured": 5,
    "hum": 2,
    "clatter": 4,
    "water": 3,
    "machine": 3,
    "music": 3,
    "babble": 4,
    "television": 1.5,
}
#: What a clip without words holds. Babble is a fifth: as background only, it was written down 30 times of 30.
NOTHING_SHARES: dict[str, float] = {
    "silence": 3,
    "coloured": 3,
    "hum": 2,
    "clatter": 5,
    "water": 4,
    "machine": 4,
    "music": 4,
    "babble": 6,
    "television": 4,
}
