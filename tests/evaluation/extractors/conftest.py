import pytest
import torch


@pytest.fixture(scope="session")
def digits_cache(tmp_path_factory):
    """A folder with the network of features=digits, which takes seconds to train."""
    from lsgan.evaluation.extractors.digits import Digits

    folder = tmp_path_factory.mktemp("features")
    Digits(folder).load(torch.device("cpu"))
    return folder
