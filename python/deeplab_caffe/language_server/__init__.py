"""The language server for prototxt: what an editor shows and does, over the Language Server Protocol."""
