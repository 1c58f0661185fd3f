//go:build !race

package main

// raceEnabled reports whether the race detector runs.
const raceEnabled = false
