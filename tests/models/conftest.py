"""A CLAP small enough for tests."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session")
def clap_folder(tmp_path_factory):
    """A CLAP of a few weights, drawn at random, with a tokenizer that spells."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizerFast

    folder = tmp_path_factory.mktemp("clap")
    letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters += sorted(pre_tokenizers.ByteLevel.alphabet())
    spelling = Tokenizer(
        models.BPE({letter: i for i, letter in enumerate(letters)}, [], unk_token="<unk>")
    )
    spelling.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    spelling.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=spelling).save_pretrained(folder)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = ClapConfig(
        text_config={**sizes, "vocab_size": len(letters), "intermediate_size": 64},
        audio_config={
            "patch_embeds_hidden_size": 8, "depths": [1, 1], "num_attention_heads": [1, 1],
            "hidden_size": 16, "spec_size": 32,
            "window_size": 4, "num_mel_bins": 8,
        },
        projection_dim=24,
    )  # fmt: skip
    torch.manual_seed(0)
    ClapModel(config).save_pretrained(folder)
    ClapFeatureExtractor(feature_size=8, hop_length=4800, truncation="rand_trunc").save_pretrained(
        folder
    )
    return folder
