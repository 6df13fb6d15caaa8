"""The pipeline on samples: speaker, silence around, room and microphone, noise, level, clipping, codec."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from training.augment import microphone
from training.augment.fourier import SHORT_BLOCK, bins_hz, block_for, filtered, kernel_spectrum
from training.augment.noises import excerpt, noise_bank
from training.augment.rooms import room_bank
from training.augment.table import DEFAULT_TABLE, NOISE_SHARES, NOTHING_SHARES, Effect, Table
from training.augment.talkers import FEWEST_TALKERS, Speech, babble, television
from training.augment.voice import pitch_shift, speaker_shift, stretch
from training.features import SAMPLE_RATE_HZ

ROOMS = 100
NOISE_CLIPS = 60
NOISE_CLIP_S = 12.0


@dataclass(frozen=True)
class Augmented:
    """Samples float32 [m] in -1..1 at 16 kHz, and where in them the speech now lies."""

    samples: np.ndarray
    speech_start_s: float
    speech_end_s: float


@dataclass(frozen=True)
class _Response:
    """A room's impulse response, ready for `filtered`."""

    spectrum: np.ndarray
    samples: int

    @classmethod
    def of(cls, response: np.ndarray) -> "_Response":
        return cls(kernel_spectrum(response, block_for(len(response))), len(response))


_Banks = tuple[list[_Response], dict[str, list[np.ndarray]], np.ndarray]


@lru_cache(maxsize=2)
def _banks(seed: int, rooms: int, noise_clips: int) -> _Banks:
    """Rooms, clips of noise by kind, and white noise, which costs as much to draw anew as a whole filter."""
    for_rooms, for_noises = np.random.default_rng(seed).spawn(2)
    responses = [_Response.of(response) for response in room_bank(rooms, for_rooms)]
    noises = noise_bank(noise_clips, NOISE_CLIP_S, for_noises)
    white = for_noises.standard_normal(int(NOISE_CLIP_S * SAMPLE_RATE_HZ), dtype=np.float32)
    for clip in [white, *(clip for clips in noises.values() for clip in clips)]:
        clip.flags.writeable = False  # shared, and handed on as views
    return responses, noises, white


class Augmenter:
    """Augments utterances and makes clips without words; the same seed and calls give the same sounds.

    `corpus` lends its utterances for babble and television (None, or fewer than three utterances: neither is
    made); it may grow meanwhile. Making the banks of rooms and noises takes some seconds and about 50 MB.
    """

    def __init__(
        self,
        corpus: Speech | None,
        seed: int,
        *,
        table: Table = DEFAULT_TABLE,
        rooms: int = ROOMS,
        noise_clips: int = NOISE_CLIPS,
    ) -> None:
        self._corpus = corpus
        self._table = table
        self._rng = np.random.default_rng(seed)
        self._rooms, self._noises, self._white = _banks(seed, rooms, noise_clips)

    def __call__(self, samples: np.ndarray, strength: float, long_pad: bool = False) -> Augmented:
        """`samples` float [n] in -1..1 at 16 kHz, augmented with `strength` (0: only silence around, 1: all).

        `long_pad` adds up to 2.5 s more on each side. Raises ValueError on other shapes or values not finite.
        """
        speech = _checked(samples)
        if not 0 <= strength <= 1:
            raise ValueError(f"strength: expected 0 to 1, got {strength}")
        table, rng = self._table, self._rng
        speech = self._other_speaker(speech, strength)
        lead, tail = (self._silence(effect, long_pad) for effect in (table.lead_s, table.tail_s))
        sound = np.zeros(lead + len(speech) + tail, np.float32)
        sound[lead : lead + len(speech)] = speech
        rms = _rms(speech)
        if rms > 0:
            sound = self._recorded(sound, table.room.happens(strength, rng), strength)
            # As loud as before, so that the noise below is measured against the speech as it is now
            sound = sound * np.float32(rms * np.sqrt(len(speech)) / max(np.linalg.norm(sound), 1e-9))
            sound = self._with_noise(sound, rms, strength)
        sound = self._levelled(sound, strength)
        return Augmented(sound, lead / SAMPLE_RATE_HZ, (lead + len(speech)) / SAMPLE_RATE_HZ)

    def nothing(self, longest_s: float) -> np.ndarray:
        """A clip of 0.5 s to `longest_s` without a word that could be written down, float32 [m] in -1..1."""
        rng, table = self._rng, self._table
        n = max(1, int(SAMPLE_RATE_HZ * rng.uniform(min(0.5, longest_s), longest_s)))
        kind = self._kind(NOTHING_SHARES)
        sound = np.zeros(n, np.float32)
        if kind != "silence":
            # Fans and mains are drawn as the microphone gets them; what has attacks and pauses shows the room
            in_room = kind in ("babble", "television", "music", "clatter")
            in_room = in_room and table.nothing_room.happens(1.0, rng)
            sound = self._recorded(self._noise(kind, n), in_room, table.nothing_microphone_strength)
            level = 10 ** (table.nothing_level_dbfs.amount(1.0, rng) / 20)
            sound = sound * np.float32(level / max(_rms(sound), 1e-9))
        if table.nothing_hiss_dbfs.happens(1.0, rng):
            hiss = 10 ** (table.nothing_hiss_dbfs.amount(1.0, rng) / 20)
            sound = sound + excerpt(self._white, n, rng) * np.float32(hiss)
        return microphone.clip(sound)

    def _other_speaker(self, speech: np.ndarray, strength: float) -> np.ndarray:
        table, rng = self._table, self._rng
        if table.speaker_semitones.happens(strength, rng):
            speech = speaker_shift(speech, table.speaker_semitones.amount(strength, rng))
        elif table.pitch_semitones.happens(strength, rng):
            speech = pitch_shift(speech, table.pitch_semitones.amount(strength, rng))
        if table.time_stretch.happens(strength, rng):
            speech = stretch(speech, table.time_stretch.amount(strength, rng))
        return speech

    def _silence(self, effect: Effect, long_pad: bool) -> int:
        seconds = effect.amount(1.0, self._rng)
        if long_pad and self._table.long_pad_s.happens(1.0, self._rng):
            seconds += self._table.long_pad_s.amount(1.0, self._rng)
        return int(seconds * SAMPLE_RATE_HZ)

    def _recorded(self, sound: np.ndarray, in_room: bool, strength: float) -> np.ndarray:
        """`sound` as a random microphone hears it, in a random room or not: both in one pass."""
        room = self._rooms[self._rng.integers(len(self._rooms))] if in_room else None
        block = SHORT_BLOCK if room is None else 2 * (len(room.spectrum) - 1)
        gains = microphone.microphone_gains(bins_hz(block), self._table, strength, self._rng)
        if room is None:
            return sound if gains is None else filtered(sound, gains)
        return filtered(sound, room.spectrum if gains is None else room.spectrum * gains, room.samples)

    def _with_noise(self, sound: np.ndarray, rms: float, strength: float) -> np.ndarray:
        table, rng, n = self._table, self._rng, len(sound)
        if table.noise_snr_db.happens(strength, rng):
            noise = self._noise(self._kind(NOISE_SHARES), n)
            sound = mixed(sound, noise, rms, table.noise_snr_db.amount(strength, rng))
        elif table.hiss_snr_db.happens(strength, rng):
            hiss = excerpt(self._white, n, rng)
            sound = mixed(sound, hiss, rms, table.hiss_snr_db.amount(strength, rng))
        if table.white_amplitude.happens(strength, rng):
            peak = float(np.abs(sound).max())
            amplitude = peak * table.white_amplitude.amount(strength, rng)
            sound = sound + excerpt(self._white, n, rng) * np.float32(amplitude)
        return sound

    def _levelled(self, sound: np.ndarray, strength: float) -> np.ndarray:
        table, rng = self._table, self._rng
        level = np.float32(10 ** (table.level_dbfs.amount(strength, rng) / 20))
        if not len(sound):
            return sound
        on_telephone = table.telephone.happens(strength, rng)
        if on_telephone:
            sound = telephoned(sound)
        peak = max(float(sound.max()), -float(sound.min()), 1e-9)
        if table.clip_db.happens(strength, rng):
            drive = 10 ** (table.clip_db.amount(strength, rng) / 20)
            sound = microphone.clip(sound * np.float32(drive / peak)) * level
        else:
            sound = sound * (level / np.float32(peak)) if peak > 1e-9 else sound
        if table.mu_law.happens(strength, rng):
            sound = microphone.mu_law(sound)
        if table.bits.happens(strength, rng):
            sound = microphone.quantise(sound, table.bits.amount(strength, rng))
        return microphone.clip(sound)

    def _kind(self, shares: dict[str, float]) -> str:
        talking = self._corpus is not None and len(self._corpus.utterances) >= FEWEST_TALKERS
        kinds = [kind for kind in shares if talking or kind not in ("babble", "television")]
        place = self._rng.uniform(0, sum(shares[kind] for kind in kinds))
        for kind in kinds:
            place -= shares[kind]
            if place < 0:
                break
        return kind

    def _noise(self, kind: str, n: int) -> np.ndarray:
        rng = self._rng
        if kind == "babble" and self._corpus is not None:
            return babble(self._corpus, n, rng)
        clips = self._noises["music" if kind == "television" else kind]
        clip = excerpt(clips[rng.integers(len(clips))], n, rng)
        if kind == "television" and self._corpus is not None:
            return television(self._corpus, clip, rng)
        return clip


def mixed(sound: np.ndarray, noise: np.ndarray, speech_rms: float, snr_db: float) -> np.ndarray:
    """`sound` [n] with `noise` [n] added `snr_db` below speech of `speech_rms` (of the words alone).

    An excerpt that is nearly all pause is raised by no more than 20 dB, lest its hiss become a storm.
    """
    gain = speech_rms * 10 ** (-snr_db / 20) / max(_rms(noise), 0.1)
    return sound + noise * np.float32(gain)


def telephoned(sound: np.ndarray) -> np.ndarray:
    """`sound` [n] through the telephone band."""
    return filtered(sound, microphone.telephone_band(bins_hz(SHORT_BLOCK)))


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.dot(samples, samples) / len(samples))) if len(samples) else 0.0


def _checked(samples: np.ndarray) -> np.ndarray:
    speech = np.asarray(samples)
    if speech.ndim != 1 or not np.issubdtype(speech.dtype, np.floating):
        came = f"{speech.dtype} {list(speech.shape)}"
        raise ValueError(f"samples: expected floats [n], one channel in -1..1, got {came}")
    speech = speech.astype(np.float32, copy=False)
    if not np.isfinite(np.dot(speech, speech)):
        raise ValueError("samples: expected finite values of ordinary size, got NaN or infinity")
    return speech
