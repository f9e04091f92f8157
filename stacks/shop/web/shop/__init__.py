"""The shop's web function: products from the database, visits from the cache, orders."""

VERSION = "1"
