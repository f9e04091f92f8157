"""The edge: the reverse proxy of this host. `table` is its state as data, `base` the port."""
