"""The version, where everything that shows it can read it; pyproject.toml says the same."""

VERSION = "0.1.0"
