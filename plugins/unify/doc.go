// Package unify finds the records that mean the same real thing and merges them into golden records.
//
// It owns the matching engine: reading values by their meaning, choosing the pairs worth comparing, weighing them,
// grouping them, and choosing one value per attribute. It works on rows handed to it and answers with values; it never
// reads or writes a table, never opens a connection, and never decides who may see what.
//
// One run, [Resolve], goes through these steps:
//
//	Job ─ check ─► rows ─ normalise ─► columns of distinct values
//	                                     │
//	        passes (keys, capped blocks) ┤
//	                                     ▼
//	                    train: levels ─► m, u, prior (no labels)
//	                                     │
//	                    score every pair once ─► edges, threshold
//	                                     │
//	        always, rules, score, never ─► clusters ─► golden records with lineage
//
// The probability model is that of Fellegi and Sunter ("A Theory for Record Linkage", 1969), estimated by expectation
// maximisation. Weights are in bits: log2 of how much likelier an observation is for one thing than for two.
//
// The same rows in any order, on any number of cores, give the same answer. Given a [Model], the answer depends on
// nothing but the rows, the job and that model.
package unify
