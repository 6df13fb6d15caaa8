"""What a corpus will hold: who says which sentence how. The same for the same settings, on any machine with
the same voices, whatever part of it is spoken when."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from training.speech.engines import Request, speaker_of
from training.speech.style import draw_style
from training.speech.voices import Voice
from training.text import Sentence

# A sentence already said is skipped, but for some: people say 'stop' in a thousand voices, and a model that
# hears each wording once only never learns that the voice does not matter.
SHORT_CHARACTERS = 14
REPEATED_SHORT = 0.5
REPEATED = 0.02


@dataclass(frozen=True)
class Plan:
    """One utterance to be made. `written`: the words as written, where the engine is given another spelling."""

    request: Request
    kind: str
    written: str | None = None

    @property
    def text(self) -> str:
        """What the corpus says was said."""
        return self.request.text if self.written is None else self.written


def plans(
    sentences: Callable[[int, str], Iterator[Sentence]],
    voices: Sequence[Voice],
    seed: int,
    split: str,
    accent: str = "",
) -> Iterator[Plan]:
    """Endless plans; `sentences(seed, split)` is training.text.sentences, `accent` that of every request."""
    rng = Random(f"speech {seed} {split}")
    weights = [v.weight for v in voices]
    said: set[str] = set()
    for sentence in sentences(seed, split):
        again = REPEATED_SHORT if len(sentence.text) < SHORT_CHARACTERS else REPEATED
        if sentence.text in said and rng.random() >= again:
            continue
        said.add(sentence.text)
        voice = rng.choices(voices, weights)[0]
        speaker = speaker_of(voice, rng)
        # Voices kept for evaluation are heard as they are: a changed speaker would be nobody's voice.
        style = draw_style(rng, sentence.text.count(" ") + 1, change_speaker=voice.role == "train")
        yield Plan(Request(sentence.text, voice, speaker, style, accent), sentence.kind)
