"""What is kept of encoded groups: one encoding for each sound and what is known of it."""

from dataclasses import replace

import numpy as np

from mashnet.data.parts import ArrayPart
from mashnet.models.submix import EncodingCache
from mashnet.music.keys import Key
from mashnet.music.song_facts import SongFacts

FACTS = SongFacts("song", 1.0, [0.0, 0.5], (0.0,), 4, Key(0, "major"))


def test_the_same_sound_with_other_facts_is_encoded_again() -> None:
    asked = []
    cache = EncodingCache(lambda group: asked.append(group) or len(asked))
    sound = ArrayPart(np.ones(8, np.float32), 8)
    told = replace(sound, facts=FACTS)
    others = [
        replace(sound, facts=replace(FACTS, **changed))
        for changed in ({"beats_s": (0.1, 0.6)}, {"key": Key(1, "major")}, {"downbeats_s": ()})
    ]
    found = [cache({"vocal": part}) for part in (sound, told, *others)]
    assert found == [1, 2, 3, 4, 5]
    assert [cache({"vocal": part}) for part in (sound, told, *others)] == found
    same = replace(sound, facts=replace(FACTS, name="renamed", beats_s=(0.0, 0.5)))
    assert cache({"vocal": same}) == 2  # another name for the same music
    assert cache({"harmonic": told}) == 6
