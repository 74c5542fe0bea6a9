"""A study on one page: one HTML file that needs no network, no server and no account. Needs no torch."""
