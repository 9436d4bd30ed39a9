"""PreMixNet: judges a mix from its separate stems (Huang et al., AAAI 2021, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mashnet.data.mixes.frontend import MixFrontend
from mashnet.data.parts import Group, Part
from mashnet.data.roles import ROLES
from mashnet.models.mixes.layers import JointHead, SourceNet
from mashnet.models.mixes.scoring import WINDOWS_PER_BATCH, MixScorer, complete

PAIRS_PER_BATCH = 512


class PreMixNet(nn.Module):
    """One SourceNet per role, weights not shared, joined by a JointHead.

    Input: a mapping role → log-mel (batch, frames, n_mels). Output: logits (batch, 2), where
    softmax[..., 1] is the posterior that the stems are of one song: the mashability.
    """

    inputs = ROLES

    def __init__(
        self,
        *,
        n_mels: int = 128,
        source_filters: Sequence[int] = (64, 128),
        joint_filters: int = 256,
        dense: int = 128,
    ) -> None:
        """Set the sizes; the defaults are the paper's (scale=paper)."""
        super().__init__()
        self.source_nets = nn.ModuleDict(
            {r: SourceNet((source_filters[0], source_filters[1])) for r in ROLES}
        )
        self.head = JointHead(
            sources=len(ROLES),
            source_filters=source_filters[1],
            n_mels=n_mels,
            filters=joint_filters,
            dense=dense,
        )

    def forward(self, mels: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return logits (batch, 2) for log-mels (batch, frames, n_mels) of all three roles."""
        maps = [self.source_nets[role](mels[role].unsqueeze(1)) for role in ROLES]
        return self.head(self.head.spanning(torch.cat(maps, dim=1)).squeeze(-1))

    def judge(self, windows: Mapping[str, torch.Tensor], mixes: torch.Tensor) -> torch.Tensor:
        """Return logits (mixes, 2) of mixes of windows; each window is encoded once.

        Args:
            windows: role → log-mel (windows, frames, n_mels).
            mixes: the window of each role, in the order of ROLES, (mixes, 3).
        """
        shares = [self.encode(role, windows[role])[mixes[:, i]] for i, role in enumerate(ROLES)]
        return self.head(torch.stack(shares).sum(0))

    def encode(self, role: str, mel: torch.Tensor) -> torch.Tensor:
        """Map one role's log-mel (batch, frames, mels) to its share (batch, filters, frames / 4).

        The head of the summed shares of all three roles equals `forward`.
        """
        return self.head.share(ROLES.index(role), self.source_nets[role](mel.unsqueeze(1)))


class PreMixScorer(MixScorer):
    """PreMixNet, factorised: each part is encoded once, a pair costs an addition and the head."""

    network_class = PreMixNet
    network: PreMixNet

    def __init__(self, network: PreMixNet, frontend: MixFrontend, *, name: str) -> None:
        """Take a trained network and the frontend it was trained with."""
        super().__init__(network, frontend, name=name)
        self._encoded: dict[tuple[str, str], torch.Tensor] = {}

    @torch.inference_mode()
    def _encode(self, role: str, part: Part) -> torch.Tensor:
        """Return a part's shares and window weights, (windows, filters + 1, frames / 4)."""
        key = (role, part.part_id)
        if key not in self._encoded:
            mel = self.frontend.log_mel_of([part], self.device)
            windows, filled = self.frontend.windows_of(mel)
            shares = torch.cat(
                [self.network.encode(role, batch) for batch in windows.split(WINDOWS_PER_BATCH)]
            )
            weight = filled[:, None, None].expand(-1, 1, shares.shape[-1])
            self._encoded[key] = torch.cat([shares, weight], dim=1)
        return self._encoded[key]

    @torch.inference_mode()
    def _embed(self, groups: Sequence[Group]) -> torch.Tensor:
        embedded = []
        for group in groups:
            parts = [self._encode(role, part) for role, part in group.items()]
            common = min(part.shape[0] for part in parts)
            total = torch.stack([part[:common] for part in parts]).sum(0)
            # A window counts as far as the emptiest part fills it.
            total[:, -1] = torch.stack([part[:common, -1] for part in parts]).amin(0)
            embedded.append(total)
        longest = max(total.shape[0] for total in embedded)
        return torch.stack(
            [nn.functional.pad(t, (0, 0, 0, 0, 0, longest - t.shape[0])) for t in embedded]
        )

    def embed_query(self, queries: Sequence[Group]) -> torch.Tensor:
        """Return summed shares and window weights, (n, windows, filters + 1, frames / 4)."""
        return self._embed(queries)

    def embed_candidate(self, candidates: Sequence[Group]) -> torch.Tensor:
        """Return the same for candidates, (m, windows, filters + 1, frames / 4)."""
        return self._embed(candidates)

    @torch.inference_mode()
    def similarity(self, queries: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Return the mashability of all pairs, (n, m): an addition and the head per pair."""
        common = min(queries.shape[1], candidates.shape[1])
        queries, candidates = queries[:, :common], candidates[:, :common]
        rows = []
        for query in queries:
            row = []
            for block in candidates.split(max(1, PAIRS_PER_BATCH // common)):
                logits = self.network.head((query[:, :-1] + block[:, :, :-1]).flatten(0, 1))
                posterior = logits.softmax(-1)[:, 1].unflatten(0, (block.shape[0], common))
                weight = torch.minimum(query[:, -1, 0], block[:, :, -1, 0])
                row.append((posterior * weight).sum(1) / weight.sum(1))
            rows.append(torch.cat(row))
        return torch.stack(rows)

    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return the mashability of each candidate with the query, (candidates,), in [0, 1]."""
        for candidate in candidates:
            complete(query, candidate)
        return self.similarity(self.embed_query([query]), self.embed_candidate(candidates))[0]

    @torch.inference_mode()
    def score_plainly(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return what `score` returns, by a whole forward pass per candidate (the slow oracle)."""
        scores = []
        for candidate in candidates:
            group = complete(query, candidate)
            cut = {
                role: self.frontend.windows_of(self.frontend.log_mel_of([part], self.device))
                for role, part in group.items()
            }
            common = min(len(filled) for _, filled in cut.values())
            mels = {role: windows[:common] for role, (windows, _) in cut.items()}
            weight = torch.stack([filled[:common] for _, filled in cut.values()]).amin(0)
            posterior = self.network(mels).softmax(-1)[:, 1]
            scores.append((posterior * weight).sum() / weight.sum())
        return torch.stack(scores)
