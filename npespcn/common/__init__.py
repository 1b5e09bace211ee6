"""What the wings share and the book does not: checks, whole files, messages."""
