"""Speaks many sentences with the RHVoice library: `python rhvoice.py CONFIG_FOLDER < requests`.

A process of its own, because the library may crash, and one for many sentences, because loading takes it
longer than speaking. Uses the standard library alone, so that it starts in no time. Each line of the input is
a JSON object: text, voice, rate and pitch (1.0 is the voice's own), and out (a wave file, which is written
whole or not at all).
"""

import ctypes
import json
import os
import sys
import wave

LIBRARY = "libRHVoice.so.5"
DATA = "/usr/share/RHVoice"

SET_SAMPLE_RATE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
PLAY_SPEECH = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_uint, ctypes.c_void_p)


class InitParams(ctypes.Structure):
    """RHVoice_init_params of RHVoice.h, with its callbacks in place."""

    _fields_ = [
        ("data_path", ctypes.c_char_p),
        ("config_path", ctypes.c_char_p),
        ("resource_paths", ctypes.c_void_p),
        ("set_sample_rate", SET_SAMPLE_RATE),
        ("play_speech", PLAY_SPEECH),
        ("other_callbacks", ctypes.c_void_p * 7),
        ("options", ctypes.c_uint),
    ]


class SynthParams(ctypes.Structure):
    """RHVoice_synth_params of RHVoice.h."""

    _fields_ = [
        ("voice_profile", ctypes.c_char_p),
        ("absolute_rate", ctypes.c_double),
        ("absolute_pitch", ctypes.c_double),
        ("absolute_volume", ctypes.c_double),
        ("relative_rate", ctypes.c_double),
        ("relative_pitch", ctypes.c_double),
        ("relative_volume", ctypes.c_double),
        ("punctuation_mode", ctypes.c_int),
        ("punctuation_list", ctypes.c_char_p),
        ("capitals_mode", ctypes.c_int),
        ("flags", ctypes.c_int),
    ]


class RHVoice:
    """The engine, with the settings of RHVoice.conf in `config_folder`."""

    def __init__(self, config_folder: str) -> None:
        """OSError if the library is not installed or finds no voices."""
        self._library = ctypes.CDLL(LIBRARY)
        self._library.RHVoice_new_tts_engine.restype = ctypes.c_void_p
        self._library.RHVoice_new_message.restype = ctypes.c_void_p
        self._rate_hz = 0
        self._heard = bytearray()
        # Kept: the library calls them for as long as it lives.
        self._params = InitParams(
            DATA.encode(),
            config_folder.encode(),
            None,
            SET_SAMPLE_RATE(self._set_rate),
            PLAY_SPEECH(self._play),
        )
        self._engine = ctypes.c_void_p(self._library.RHVoice_new_tts_engine(ctypes.byref(self._params)))
        if not self._engine:
            raise OSError(f"RHVoice finds no voices in {DATA}")

    def _set_rate(self, rate_hz: int, _: object) -> int:
        self._rate_hz = rate_hz
        return 1

    def _play(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: object) -> int:
        self._heard += ctypes.string_at(samples, 2 * count)
        return 1

    def speak(self, text: str, voice: str, rate: float, pitch: float) -> tuple[bytes, int]:
        """16-bit samples in the machine's byte order, and their rate in Hz. OSError if RHVoice refuses."""
        self._heard.clear()
        params = SynthParams(voice.encode(), 0, 0, 0, rate, pitch, 1, 0, None, 0, 0)
        data = text.encode()
        message = ctypes.c_void_p(
            self._library.RHVoice_new_message(self._engine, data, len(data), 0, ctypes.byref(params), None)
        )
        if not message:
            raise OSError(f"RHVoice takes no text {text!r} for {voice}")
        spoken = self._library.RHVoice_speak(message)
        self._library.RHVoice_delete_message(message)
        if not spoken:
            raise OSError(f"RHVoice does not speak {text!r} with {voice}")
        return bytes(self._heard), self._rate_hz


def main(config_folder: str) -> int:
    """Speaks what stdin asks for; 1 with the reason on stderr at the first sentence it cannot."""
    try:
        engine = RHVoice(config_folder)
        for line in sys.stdin:
            wanted = json.loads(line)
            samples, rate_hz = engine.speak(wanted["text"], wanted["voice"], wanted["rate"], wanted["pitch"])
            part = wanted["out"] + ".part"
            with wave.open(part, "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(rate_hz)
                out.writeframes(samples)
            os.rename(part, wanted["out"])
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
