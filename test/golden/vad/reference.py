"""Speech probabilities of the golden recordings, by Silero VAD v6 under Python's onnxruntime.

    pip install onnxruntime numpy
    python test/golden/vad/reference.py path/to/silero_vad_v6.onnx > test/golden/vad/probabilities.json

Written from the wrapper Silero publishes (snakers4/silero-vad, src/silero_vad/utils_vad.py, OnnxWrapper and
get_speech_timestamps), not from daemon/vad.ts: 512 samples a frame, the last one padded with zeros, before each
the 64 samples that came before it, state [2, 1, 128] handed from frame to frame, both zero at the start.
Each recording is followed by one second of digital silence, so that the state is seen to decay.
"""
import hashlib
import json
import pathlib
import sys
import wave

import numpy as np
import onnxruntime

SAMPLE_RATE_HZ, FRAME, CONTEXT = 16000, 512, 64


def read(path):
    with wave.open(str(path)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (SAMPLE_RATE_HZ, 1, 2)
        return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / 32768


def probabilities(session, sound):
    sound = np.concatenate([sound, np.zeros(-len(sound) % FRAME, np.float32)])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, CONTEXT), np.float32)
    for start in range(0, len(sound), FRAME):
        window = np.concatenate([context, sound[None, start : start + FRAME]], axis=1)
        probability, state = session.run(None, {"input": window, "state": state, "sr": np.array(SAMPLE_RATE_HZ)})
        context = window[:, -CONTEXT:]
        yield round(float(probability[0, 0]), 7)


def main():
    graph = pathlib.Path(sys.argv[1])
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    second = np.zeros(SAMPLE_RATE_HZ, np.float32)
    golden = pathlib.Path(__file__).parent.parent / "nano"
    recordings = {
        path.name: list(probabilities(session, np.concatenate([read(path), second])))
        for path in sorted(golden.glob("*.wav"))
    }
    json.dump(
        {
            "graphSha256": hashlib.sha256(graph.read_bytes()).hexdigest(),
            "onnxruntime": onnxruntime.__version__,
            "silenceSamples": len(second),
            "recordings": recordings,
        },
        sys.stdout,
        separators=(",", ":"),
    )


main()
