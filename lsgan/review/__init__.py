"""What people ask of runs afterwards: which setting won, by how much, how sure. Needs no torch."""
