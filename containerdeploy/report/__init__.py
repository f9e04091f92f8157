"""What a person or a machine reads: rich, plain and JSON output."""
