"""TOML in, `containerdeploy.stack` values out; pydantic lives here and nowhere else."""
