"""cdeploy against Docker Compose on the same engine, as ratios in one run."""
