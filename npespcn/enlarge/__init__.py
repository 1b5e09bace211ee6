"""A person's picture or video, enlarged."""
