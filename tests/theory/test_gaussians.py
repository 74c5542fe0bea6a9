import numpy as np
from scipy.stats import norm
from torch.testing import assert_close

from lsgan.theory.gaussians import log_density


def test_the_density_is_that_of_scipy():
    x = np.linspace(-60.0, 60.0, 25)  # where the density itself underflows, too
    assert_close(log_density(x, 1.5, 0.25), norm.logpdf(x, 1.5, 0.25), rtol=1e-12, atol=1e-12)
