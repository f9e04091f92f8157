"""Images: content digests, BuildKit builds, pulls."""
