"""What a clip gives as it is, as parts for a Scorer to hear."""

from __future__ import annotations

from collections.abc import Sequence

from mashnet.data.mixes.part_store import PartStore
from mashnet.data.mixes.rendering import RenderedPart
from mashnet.data.parts import Group, Part
from mashnet.data.roles import music_roles
from mashnet.mashups.proposal import LibraryClip
from mashnet.rendering.plan import RENDERING_ENGINE


def own_parts(
    base: LibraryClip,
    roles: Sequence[str],
    store: PartStore | None,
    heard_s: tuple[float, float] | None = None,
) -> Group:
    """Return roles of a clip, where they are; they pass the engine as what is moved does.

    Args:
        base: the clip.
        roles: that sound in it.
        store: where rendered parts are kept; None: nowhere.
        heard_s: begin and end of the stretch that is heard; None: the whole clip.
    """
    start_s, end_s = heard_s or (0.0, base.row["duration_s"])
    sounding = base.database.sounding_stems[base.clip_id]
    return {
        role: kept(
            RenderedPart(
                stem_ids=tuple(stem["stem_id"] for stem in sounding[role]),
                paths=tuple(base.database.audio_path(s["stem_id"]) for s in sounding[role]),
                semitones=0,
                tempo_ratio=1.0,
                place_s=0.0 - start_s,  # and not -0.0, which has another hash
                keyframes_s=(),
                duration_s=end_s - start_s,
                force=True,
                engine=engine_of(store),
                song=base.database.facts_of(base.clip_id),
            ),
            store,
        )
        for role in roles
    }


def music_of(clip: LibraryClip) -> tuple[str, ...]:
    """Return the roles that are a clip's music; see `mashnet.data.roles.music_roles`."""
    return music_roles(clip.database.sounding_stems[clip.clip_id])


def engine_of(store: PartStore | None) -> str:
    """Return the engine of a store; without one the renderer's."""
    return store.engine if store else RENDERING_ENGINE


def kept(part: Part, store: PartStore | None) -> Part:
    """Return a part that is rendered once, if there is a store to keep it."""
    return store.kept(part) if store and isinstance(part, RenderedPart) else part
