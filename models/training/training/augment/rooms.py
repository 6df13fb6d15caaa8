"""Impulse responses of synthetic rooms by the image-source method (Allen and Berkley, JASA 1979)."""

from dataclasses import dataclass

import numpy as np

from training.features import SAMPLE_RATE_HZ

SPEED_OF_SOUND_M_S = 343.0
#: A longer tail is cut: at T60 = 0.8 s the sound has decayed by 37 dB there, below most rooms' noise.
LONGEST_RESPONSE_S = 0.5


@dataclass(frozen=True)
class Room:
    """A shoebox room: its sides and the two places in metres, and its reverberation time."""

    sides_m: tuple[float, float, float]
    speaker_m: tuple[float, float, float]
    microphone_m: tuple[float, float, float]
    t60_s: float
    #: T60 above 2 kHz by T60 below: curtains, carpets and air swallow high frequencies first.
    t60_high_ratio: float = 0.7

    @property
    def distance_m(self) -> float:
        return float(np.linalg.norm(np.subtract(self.speaker_m, self.microphone_m)))


def draw_room(rng: np.random.Generator, t60_s: tuple[float, float] = (0.1, 0.8)) -> Room:
    """A random room, from a small kitchen to a large living room; 0.3 to 6 m from mouth to microphone."""
    sides_m = np.array([rng.uniform(2.5, 8), rng.uniform(2.0, 6), rng.uniform(2.3, 3.2)])
    microphone_m = rng.uniform(0.15, sides_m - 0.15)
    microphone_m[2] = rng.uniform(0.5, 1.6)  # on a worktop, a table, a shelf
    speaker_m = microphone_m
    wanted_m = float(np.exp(rng.uniform(np.log(0.3), np.log(6.0))))
    for _ in range(30):
        candidate_m = rng.uniform(0.3, sides_m - 0.3)
        candidate_m[2] = rng.uniform(1.0, 1.9)  # sitting to standing
        ahead = candidate_m - microphone_m
        speaker_m = np.clip(microphone_m + ahead / np.linalg.norm(ahead) * wanted_m, 0.2, sides_m - 0.2)
        if abs(np.linalg.norm(speaker_m - microphone_m) - wanted_m) < 0.1:
            break
    sides, speaker, microphone = (
        (float(point[0]), float(point[1]), float(point[2])) for point in (sides_m, speaker_m, microphone_m)
    )
    return Room(sides, speaker, microphone, float(rng.uniform(*t60_s)), float(rng.uniform(0.45, 1.0)))


def impulse_response(room: Room) -> np.ndarray:
    """The response of `room`, float32 [at most 8000], beginning with the direct sound (amplitude 1).

    The time of flight is taken off, so speech stays where it was. Walls are given one absorption after
    Eyring; then high frequencies are made to decay faster, and the whole is corrected to the asked T60,
    because shoebox rooms decay slower than Eyring's formula says.
    """
    sides_m = np.array(room.sides_m)
    span_s = min(room.t60_s, LONGEST_RESPONSE_S)
    length = int(span_s * SAMPLE_RATE_HZ)
    volume_m3 = float(np.prod(sides_m))
    surface_m2 = 2 * float(sides_m[0] * sides_m[1] + sides_m[1] * sides_m[2] + sides_m[0] * sides_m[2])
    absorption = 1 - np.exp(-0.161 * volume_m3 / (surface_m2 * room.t60_s))
    log_reflection = 0.5 * np.log(1 - absorption)

    direct_m = max(room.distance_m, 0.05)
    reach_m = direct_m + span_s * SPEED_OF_SOUND_M_S
    squares: list[np.ndarray] = []
    bounces: list[np.ndarray] = []
    for side_m, from_m, to_m in zip(sides_m, room.speaker_m, room.microphone_m):
        order = np.arange(-int(reach_m / (2 * side_m)) - 1, int(reach_m / (2 * side_m)) + 2)
        offsets_m = np.concatenate([from_m + 2 * order * side_m, -from_m + 2 * order * side_m]) - to_m
        squares.append((offsets_m**2).astype(np.float32))
        walls = np.concatenate([2 * np.abs(order), np.abs(order - 1) + np.abs(order)])
        bounces.append(walls.astype(np.float32))

    response = np.zeros(length)
    plane_m2 = np.add.outer(squares[1], squares[2])
    plane_bounces = np.add.outer(bounces[1], bounces[2])
    for x_m2, x_bounces in zip(squares[0], bounces[0]):  # one sheet at a time bounds the memory
        near = plane_m2 < reach_m**2 - x_m2
        distances_m = np.sqrt(plane_m2[near] + x_m2)
        delays = np.rint((distances_m - direct_m) * (SAMPLE_RATE_HZ / SPEED_OF_SOUND_M_S)).astype(np.int64)
        gains = np.exp((plane_bounces[near] + x_bounces) * log_reflection) * (direct_m / distances_m)
        inside = (delays >= 0) & (delays < length)
        response += np.bincount(delays[inside], gains[inside], minlength=length)
    return _decaying_as_asked(_damped_high(_without_mean(response), room), room.t60_s)


def _without_mean(response: np.ndarray) -> np.ndarray:
    """Without the pile-up below 50 Hz that images of one sign have (the high pass of Allen and Berkley)."""
    width = SAMPLE_RATE_HZ // 100
    sums = np.cumsum(np.concatenate([np.zeros(width), response]))
    return response - (sums[width:] - sums[:-width]) / width


def _damped_high(response: np.ndarray, room: Room) -> np.ndarray:
    padded = 1 << (2 * len(response) - 1).bit_length()
    hz = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE_HZ)
    below = 1 / (1 + (hz / 2000) ** 4)
    low = np.fft.irfft(np.fft.rfft(response, padded) * below, padded)[: len(response)]
    faster = 6.91 / room.t60_s * (1 / room.t60_high_ratio - 1)
    times_s = np.arange(len(response)) / SAMPLE_RATE_HZ
    return low + (response - low) * np.exp(-faster * times_s)


def _decaying_as_asked(response: np.ndarray, t60_s: float) -> np.ndarray:
    times_s = np.arange(len(response)) / SAMPLE_RATE_HZ
    for _ in range(3):
        measured_s = reverberation_time_s(response)
        if not np.isfinite(measured_s):
            break
        # 60 dB in t60: amplitude exp(-6.91 t / t60)
        response = response * np.exp(np.clip(-6.91 * (1 / t60_s - 1 / measured_s), -80, 20) * times_s)
    return (response / max(abs(response[0]), 1e-6)).astype(np.float32)


def reverberation_time_s(response: np.ndarray) -> float:
    """T60 in seconds from the backward-integrated energy (Schroeder 1965), fitted from -5 to -25 dB.

    NaN if the response is too short to fall that far.
    """
    energy = np.cumsum(np.asarray(response, np.float64)[::-1] ** 2)[::-1]
    decay_db = 10 * np.log10(np.maximum(energy / max(energy[0], 1e-30), 1e-12))
    fitted = np.flatnonzero((decay_db <= -5) & (decay_db >= -25))
    if len(fitted) < 8:
        return float("nan")
    slope_db_s = np.polyfit(fitted / SAMPLE_RATE_HZ, decay_db[fitted], 1)[0]
    return float(-60 / slope_db_s)


def room_bank(count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """`count` impulse responses of random rooms."""
    return [impulse_response(draw_room(rng)) for _ in range(count)]
