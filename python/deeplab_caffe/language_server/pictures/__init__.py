"""The picture of a net in a browser, which follows the editor."""
