"""The sustainable rate of late uploads, with refreshes running at the same time."""
