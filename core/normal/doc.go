// Package normal brings texts of one meaning into one form: names, addresses, telephone numbers and the like, as people
// write them, so that two that mean the same are the same text. "" stands for a text that says nothing.
//
// It owns the forms; what is made of texts that are the same, is decided by who asks: duplicate rules (package tables), the
// matcher (package unify). A form that changes makes every index of it wrong.
package normal
