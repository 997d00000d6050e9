"""Git: from a source to a tree of files at one commit. The only package that runs git."""
