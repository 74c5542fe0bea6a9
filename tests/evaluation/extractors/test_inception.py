"""With weights drawn at random: the real ones, 96 MB, are not there where the tests run."""

import hashlib
import sys

import pytest
import torch
from torch import nn

from lsgan.errors import LsganError
from lsgan.evaluation.extractors import inception
from lsgan.evaluation.extractors.inception import SHA256, URL, Inception

fidelity = pytest.importorskip("torch_fidelity")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def theirs():
    """torch-fidelity's extractor as it is, with random weights."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = "torch_fidelity.feature_extractor_inceptionv3"
        patch.setattr(f"{module}.load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(nn.Module, "load_state_dict", lambda *_, **__: None)
        return fidelity.FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased", "logits"])


@pytest.fixture(scope="module")
def file(theirs, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.save(theirs.state_dict(), path)
    return path


def images():
    return torch.randint(256, (2, 3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_the_promised_file_is_that_of_the_url():
    assert URL.endswith(f"-{SHA256[:8]}.pth")
    assert URL == fidelity.feature_extractor_inceptionv3.URL_INCEPTION_V3


def test_features_and_probabilities_are_those_of_torch_fidelity(tmp_path, theirs, file):
    extractor = Inception(tmp_path, file)
    extractor.load(CPU)
    assert (extractor.name, extractor.dim, extractor.classes) == ("inception", 2048, 1008)
    assert extractor.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    features, probabilities = extractor(images())
    expected, unbiased, biased = theirs(images())
    torch.testing.assert_close(features, expected, atol=0, rtol=0)
    torch.testing.assert_close(probabilities, unbiased.softmax(dim=1))
    assert not torch.allclose(probabilities, biased.softmax(dim=1), atol=1e-6)
    assert features.std(dim=0).max() > 0  # it sees something
    grey = images()[:1, :1]
    assert torch.equal(extractor(grey).features, extractor(grey.expand(-1, 3, -1, -1)).features)


def test_weights_are_downloaded_verified_and_kept(tmp_path, site, file, monkeypatch):
    site.files["/w.pth"] = file.read_bytes()
    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    for _ in range(2):
        extractor = Inception(tmp_path / "features", url=site.url("/w.pth"))
        extractor.load(CPU)
        assert extractor.digest == inception.SHA256
    assert len(site.seen) == 1
    (tmp_path / "features" / "w.pth").write_bytes(b"damaged")
    with pytest.raises(LsganError, match="they are damaged, or another file's; delete them"):
        Inception(tmp_path / "features", url=site.url("/w.pth")).load(CPU)


def test_what_cannot_be_had_is_one_sentence(tmp_path, site):
    with pytest.raises(LsganError, match=r"^http://\S+/w\.pth cannot be downloaded .+ set features\.weights=<file>$"):
        Inception(tmp_path, url=site.url("/w.pth")).load(CPU)
    with pytest.raises(LsganError, match=r"^the weights \S+no\.pth is not there"):
        Inception(tmp_path, tmp_path / "no.pth").load(CPU)
    torch.save({"weight": torch.zeros(1)}, tmp_path / "small.pth")
    with pytest.raises(LsganError, match=r"small\.pth are not those of FID's Inception: other names or shapes$"):
        Inception(tmp_path, tmp_path / "small.pth").load(CPU)


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "small.pth")
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(LsganError, match=r"^features=inception needs the package torch-fidelity: install it$"):
        Inception(tmp_path, tmp_path / "small.pth").load(CPU)


def test_a_crafted_local_file_runs_nothing(tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "made"), "w")

    torch.save({"Conv2d_1a_3x3.conv.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(LsganError, match=r"nothing else is loaded$"):
        Inception(tmp_path, tmp_path / "evil.pth").load(CPU)
    assert not (tmp_path / "made").exists()
