"""`setscrew gpu`: the classes of a repository or cluster as a table. Must not judge them."""
