// Package classify puts texts into categories that it learned from examples, and tells how a text feels.
//
// It owns two engines without state of their own: a linear classifier trained on (text, label) pairs
// ([Train], [Model.Predict]) and a rule sentiment that needs no training ([Sentiment]). It never reads a table,
// a file or the network: examples come in as values, a model goes out as bytes.
//
// How a text becomes a decision:
//
//	text -> normalised words -> hashed n-grams -> TF-IDF, one unit vector per block   text.go, features.go
//	     -> one linear score per label                                               svm.go
//	     -> probabilities by one temperature; abstain below the threshold            calibrate.go
//
// Everything a model says about its own quality comes from texts it was not trained on ([Report]).
// The same examples and settings give the same bytes, whatever their order and the number of threads
// (on one processor architecture: others may round sums differently).
package classify
