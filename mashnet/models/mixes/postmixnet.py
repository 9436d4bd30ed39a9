"""PostMixNet: judges a mix from its downmix (Huang et al., AAAI 2021, section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mashnet.audio.spectrogram import log_mel_of_sum
from mashnet.data.parts import Group
from mashnet.data.roles import ROLES
from mashnet.models.mixes.layers import JointHead, SourceNet
from mashnet.models.mixes.scoring import WINDOWS_PER_BATCH, MixScorer, complete


class PostMixNet(nn.Module):
    """PreMixNet with one SourceNet, on the log-mel of the sum of the stems.

    Input: `{"mix": log-mel (batch, frames, n_mels)}`. Output: logits (batch, 2) as in PreMixNet.
    """

    inputs = ("mix",)

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
        self.source_net = SourceNet((source_filters[0], source_filters[1]))
        self.head = JointHead(
            sources=1,
            source_filters=source_filters[1],
            n_mels=n_mels,
            filters=joint_filters,
            dense=dense,
        )

    def forward(self, mels: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return logits (batch, 2) for the downmix's log-mel (batch, frames, n_mels)."""
        maps = self.source_net(mels["mix"].unsqueeze(1))
        return self.head(self.head.spanning(maps).squeeze(-1))

    def judge(self, windows: Mapping[str, torch.Tensor], mixes: torch.Tensor) -> torch.Tensor:
        """Return logits (mixes, 2) of mixes of windows, as `PreMixNet.judge` does.

        Args:
            windows: role → log-mel (windows, frames, n_mels).
            mixes: the window of each role, in the order of ROLES, (mixes, 3).
        """
        heard = [windows[role][mixes[:, i]] for i, role in enumerate(ROLES)]
        return self({"mix": log_mel_of_sum(heard)})


class PostMixScorer(MixScorer):
    """PostMixNet: a downmix cannot be factorised, so each candidate costs a whole pass."""

    network_class = PostMixNet
    network: PostMixNet

    @torch.inference_mode()
    def score(self, query: Group, candidates: Sequence[Group]) -> torch.Tensor:
        """Return the mashability of each candidate with the query, (candidates,), in [0, 1]."""
        scores = []
        for candidate in candidates:
            group = complete(query, candidate)
            mel = self.frontend.log_mel_of([group[role] for role in ROLES], self.device)
            windows, weight = self.frontend.windows_of(mel)
            posterior = torch.cat(
                [
                    self.network({"mix": batch}).softmax(-1)[:, 1]
                    for batch in windows.split(WINDOWS_PER_BATCH)
                ]
            )
            scores.append((posterior * weight).sum() / weight.sum())
        return torch.stack(scores)
