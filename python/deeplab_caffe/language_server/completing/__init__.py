"""What may be written at a place: fields, words, names in scope, files, whole layers. It reads the tree alone, so that
it keeps up with typing."""
