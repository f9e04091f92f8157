"""The container engines: one port (`base`), its drivers, and a fake."""
