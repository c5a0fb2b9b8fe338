"""The demo's world: several weeks of an invented forum and feed that end in a crisis, and the small site that serves them."""
