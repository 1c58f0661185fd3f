package rules

import (
	"fmt"

	"colonnade/core"
)

// Assumed answers what expressions over a table read of other records with what was said of them beforehand.
type Assumed struct {
	values  map[string]any // by what is read, as [Need.String] has it
	missing string         // what was asked for, and is not there
}

// Assume takes values for what expressions over the table read of other records. Each is named as an expression reads it.
func Assume(s *core.Schema, t *core.Table, given []core.TestGiven) (*Assumed, error) {
	const op = "rules.Assume"
	a := &Assumed{values: map[string]any{}}
	for _, g := range given {
		e, err := Compile(s, t, g.Read, Options{Memory: true})
		if err != nil {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("given, %s: %s", g.Read, core.AsError(err).Msg))
		}
		if len(e.Needs) != 1 {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("given, %s: this is not one value of other records: name what a condition reads, such as customer.region or orders.count()", g.Read))
		}
		n := e.Needs[0]
		if a.values[n.String()], err = n.given().Parse(g.Value); err != nil {
			return nil, core.E(op, core.Invalid, fmt.Sprintf("given, %s: %s", g.Read, core.AsError(err).Msg))
		}
	}
	return a, nil
}

// Ask is the [Ask] of a; what it does not know is NULL, and nothing is shared.
func (a *Assumed) Ask(n *Need, _, _ core.Record) (any, error) {
	if n.Shared() {
		return false, nil
	}
	v, ok := a.values[n.String()]
	if !ok && a.missing == "" {
		a.missing = n.String()
	}
	return v, nil
}

// Missing returns something that was asked for and that nobody said, "" when there was nothing.
func (a *Assumed) Missing() string { return a.missing }
