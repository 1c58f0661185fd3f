// Package search owns what full-text search means: what a word is, which words of a text are indexed, what a query asks
// for, and how well a text answers it. It knows no database: each keeps the words as they come from here, so that all find
// the same records in the same order.
//
// A word is a run of letters, digits and their marks, in the form that the Unicode case folding and compatibility
// decomposition give it, without accents: "Café" and "CAFE" are one word. An apostrophe within a word is left out. Scripts
// that are written without spaces, such as Chinese, have a word for each character; a run of them is looked for as a phrase.
package search
