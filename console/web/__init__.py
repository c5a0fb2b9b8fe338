"""The console's web page: server-rendered, readable without JavaScript, nothing loaded from elsewhere."""
