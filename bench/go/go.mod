module setscrew.dev/bench

go 1.26
