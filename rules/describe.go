package rules

import (
	"slices"

	"colonnade/core"
)

// Unprintable says why e has no SQL form; empty when it has one.
func (e *Expr) Unprintable() string { return e.memory }

// Size is how many parts e has where it is written as SQL, of the 10,000 that it may have.
func (e *Expr) Size() int { return e.cost.weight }

// Storable says why no stored column can keep the values of e; empty when one can, which can be indexed then.
func (e *Expr) Storable() string {
	switch {
	case e.memory != "":
		return e.memory
	case e.Outside:
		return "it reads the caller or the time, which change without a write"
	case len(e.OldColumns) > 0:
		return "it reads the record before a change"
	}
	return ""
}

// Result returns a calculated column of that name with the values of e: decimals have 10 digits after the point.
func (e *Expr) Result(name string) core.Column {
	c := core.Column{Name: name, Kind: typeKinds[e.Type], Formula: e.Source}
	if e.Type == "decimal" {
		c.Kind, c.Precision, c.Scale = core.Decimal, 38, 10
	}
	return c
}

// TypeWord is the type of e in the words of authors.
func (e *Expr) TypeWord() string { return word(e.Type) }

// KindWord is the type of a column of that kind in an expression, in the words of authors.
func KindWord(k core.Kind) string { return word(k.Info().CEL) }

// CallerFields are what follows caller. and user.
func CallerFields() []string { return slices.Clone(callerFields) }

// Aggregates are how the aggregates of a relation to several records are written, by name.
func Aggregates() map[string]string {
	out := map[string]string{}
	for i := range aggregateForms {
		out[aggregateForms[i].name] = aggregateForms[i].usage()
	}
	return out
}
