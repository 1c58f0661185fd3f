//go:build race

package graphql

// raceFactor is how much longer things may take under the race detector.
const raceFactor = 20
