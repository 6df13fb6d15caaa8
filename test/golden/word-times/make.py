"""Writes golden.json: when each word ends in the sentences of models/embedded/demo that flite speaks.

  python3 test/golden/word-times/make.py       (flite 2.2)

flite prints the end of every sound it makes (-psdur); how many sounds a word has is written below. Times are in ms from
the first sound, as the recordings are, whose silence was cut off.
"""
import json, subprocess
from pathlib import Path

SENTENCES = [
    ("slt", "turn on the kitchen lights", (3, 2, 2, 5, 4)),
    ("slt", "close the bedroom blinds", (4, 2, 6, 6)),
    ("slt", "turn up the volume", (3, 2, 2, 6)),
    ("awb", "play some music in the living room", (3, 3, 6, 2, 2, 5, 3)),
    ("awb", "dim the bedroom lights", (3, 2, 6, 4)),
]
golden = {}
for voice, text, counts in SENTENCES:
    said = subprocess.run(["flite", "-voice", voice, "-t", text, "-o", "/dev/null", "-psdur"], capture_output=True, text=True)
    sounds = [(n, float(t)) for n, t in (s.split(":") for s in said.stdout.split())]
    print(text, sounds)
    assert sounds[0][0] == sounds[-1][0] == "pau", sounds
    start, spoken = sounds[0][1], sounds[1:-1]
    spoken = [s for s in spoken if s[0] != "pau"]
    assert len(spoken) == sum(counts), (text, len(spoken), sum(counts))
    ends = [spoken[sum(counts[: i + 1]) - 1][1] for i in range(len(counts))]
    golden[text] = [round(1000 * (end - start)) for end in ends]
Path(__file__).with_name("golden.json").write_text(json.dumps(golden, indent=2) + "\n")
