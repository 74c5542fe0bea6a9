"""The two half steps, the loop, EMA, checkpoints and the device they run on."""
