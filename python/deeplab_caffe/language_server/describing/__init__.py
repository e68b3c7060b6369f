"""What is said about a field, a word, a layer, a blob and a solver, as Markdown for an editor's hover."""
