// Package enrich turns what people type into canonical facts: telephone numbers, e-mail addresses, person names,
// countries and their regions.
//
// It owns pure functions and the small tables behind them (data/SOURCE.md says where each comes from). It never asks
// the network, a database or the clock: the same input gives the same answer. Input that makes no sense is a normal
// answer with Valid false and a Problem to show, not an error. Every function may be called from many goroutines.
package enrich
