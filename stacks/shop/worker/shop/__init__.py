"""The shop's worker function: packs what was ordered."""
