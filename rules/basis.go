package rules

import (
	"fmt"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"colonnade/core"
)

// The lists of a basis of the caller are variables such as caller.units_0. They are for the expressions of a policy: see
// [Options.Bases].
var basisLists = map[string]func(*core.Basis) []core.ID{
	"owners": func(s *core.Basis) []core.ID { return s.Owners },
	"units":  func(s *core.Basis) []core.ID { return s.Units },
	"below":  func(s *core.Basis) []core.ID { return s.Below },
}

// BasisList returns how an expression names a list of the i-th basis: owners, units or below.
func BasisList(list string, i int) string { return fmt.Sprintf("%s.%s_%d", callerName, list, i) }

// The lists of those below the caller. They are for the expressions of a policy: see [Options.Reports].
const (
	Reports      = callerName + ".reports"
	ReportsBelow = callerName + ".reports_below"
)

var reportLists = []string{Reports, ReportsBelow}

// basisList takes apart what follows caller. in such a name.
func basisList(field string) (list func(*core.Basis) []core.ID, basis int, ok bool) {
	name, number, found := strings.Cut(field, "_")
	list, known := basisLists[name]
	basis, err := strconv.Atoi(number)
	return list, basis, found && known && err == nil && basis >= 0
}

// ofBasis returns the list that a variable names.
func ofBasis(c *core.Caller, variable string) ([]core.ID, bool) {
	field, ok := strings.CutPrefix(variable, callerName+".")
	if !ok {
		return nil, false
	}
	list, i, ok := basisList(field)
	if !ok || i >= len(c.Bases) {
		return nil, ok
	}
	return list(&c.Bases[i]), true
}

// policyVariables declares what the expressions of a policy may name.
func policyVariables(o Options) (out []cel.EnvOption) {
	add := func(name string) { out = append(out, cel.Variable(name, cel.ListType(cel.StringType))) }
	for i := range o.Bases {
		for list := range basisLists {
			add(BasisList(list, i))
		}
	}
	if o.Reports {
		for _, list := range reportLists {
			add(list)
		}
	}
	if o.Shares {
		for _, right := range core.Shareable {
			out = append(out, cel.Variable(Shared(right), cel.BoolType))
		}
	}
	return out
}
