"""One module per command; `console.cli` puts them together."""
