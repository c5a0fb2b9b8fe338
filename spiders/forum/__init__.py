"""Understanding a forum's pages: pure functions from HTML to values. Nothing here fetches or stores."""
