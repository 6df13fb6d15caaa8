"""Reference for models/whisper/tokenizer.ts, made once with Hugging Face `tokenizers` (pip install tokenizers==0.23.3):

    python3 test/golden/tokenizer/make.py

Writes whisper-like.json (a small tokenizer in the form of Whisper's own: no normalizer, GPT-2's word pattern, all 256
bytes, languages and tasks as added tokens, timestamps not listed; pairs trained on the sentences below) and encodings.json: text,
ids and decoded text by the reference, for that tokenizer and for the embedded model's.
Text that looks like a special token is encoded as text (`encode_special_tokens`).
"""
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

here = Path(__file__).parent
embedded = here.parents[2] / "models" / "embedded" / "tokenizer.json"

sentences = """
The quick brown fox doesn't jump over the lazy dog; it's 12:45 and we're 100% sure they'll come.
Schalte das Licht in der Küche an, bitte. Wie spät ist es? Grüße aus Zürich!
Où est la bibliothèque ? J'ai déjà mangé à l'hôtel, très bien.
今日は天気がいいですね。明かりをつけてください。
Включи свет на кухне, пожалуйста. Который час?
वह घर पर है। مرحبا بالعالم. 안녕하세요 세계
  indented    code\tand\n\nnew lines\r\n
""".strip().splitlines()

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.train_from_iterator(
    sentences * 3,
    trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, min_frequency=2
    ),
)
languages = ["en", "zh", "de", "es", "haw", "yue"]
named = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{l}|>" for l in languages), "<|translate|>", "<|transcribe|>"]
named += ["<|startoflm|>", "<|startofprev|>", "<|nocaptions|>", "<|notimestamps|>"]
tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in named])
tokenizer.save(str(here / "whisper-like.json"), pretty=False)

texts = [
    "", " ", "a", " a", "  a  b   ", "turn on the kitchen lights", "it's we're they'll I'D don't'", "12:45 100%",
    "TURN ON THE LIGHT", "ΣΑΣ ΣΊΣΥΦΟΣ", "İstanbul", "a\u0085b\ufeffc\u00a0d\u3000e", "\ufeffstart", "line\r\n\n  next\t",
    "<|endoftext|> is text", "héllo wörld — “quotes”…", "e\u0301 \u0301", "日本語 テキスト", "👩‍👩‍👧‍👦 👍🏽 🇩🇪", "\x00\x7f\x80",
    "¹²³ ½ Ⅷ ٣٤", "aaaaaaaaaaa", "eight percent at seventeen minutes", "add milk and eggs to my shopping list",
]
rng = random.Random(20261122)
ranges = [(0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x600, 0x6FF), (0x900, 0x97F), (0x2000, 0x206F),
          (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF), (0x1F300, 0x1F5FF), (0x09, 0x0D)]
for _ in range(150):
    text = ""
    for _ in range(rng.randint(1, 24)):
        low, high = rng.choice(ranges)
        text += chr(rng.randint(low, high)) + (" " if rng.random() < 0.2 else "")
    texts.append(text)

cases = {}
for name, path in (("whisper-like", here / "whisper-like.json"), ("embedded", embedded)):
    reference = Tokenizer.from_file(str(path))
    reference.encode_special_tokens = True
    cases[name] = []
    for text in texts:
        ids = reference.encode(text, add_special_tokens=False).ids
        cases[name].append({"text": text, "ids": ids, "decoded": reference.decode(ids, skip_special_tokens=True)})
with open(here / "encodings.json", "w") as out:
    json.dump(cases, out, ensure_ascii=True, separators=(",", ":"))
    out.write("\n")
