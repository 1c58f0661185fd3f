package core

import (
	"fmt"
	"slices"
	"strings"
)

// DuplicateRule says which records of a table mean the same thing: those that meet the condition and are the same in all
// columns. It is asked when a record is created, and when one of the columns is changed. A record that has nothing in one
// of the columns is like no other.
type DuplicateRule struct {
	Name    string            `json:"name"`
	Doc     string            `json:"doc,omitempty"`
	Order   int               `json:"order,omitempty"`
	Columns []DuplicateColumn `json:"columns"`
	When    string            `json:"when,omitempty"`  // a condition over the record; always when empty
	Scope   DuplicateScope    `json:"scope,omitempty"` // ScopeTable when empty
	Do      DuplicateDeed     `json:"do,omitempty"`    // WarnDuplicate when empty
}

// DuplicateColumn is how a [DuplicateRule] compares a column.
type DuplicateColumn struct {
	Column  string     `json:"column"`
	Compare Comparison `json:"compare,omitempty"` // Exact when empty
	Region  string     `json:"region,omitempty"`  // of a telephone number: the country of numbers without one, such as DE
}

// Comparison says when two values of a column are the same.
type Comparison string

// The comparisons; all but Exact are of texts. See package normal for what they make of them.
const (
	Exact           Comparison = "exact"
	SameWords       Comparison = "words"        // whatever the case, accents and punctuation
	SameCode        Comparison = "code"         // whatever the case, and what is neither a letter nor a digit
	SameEmail       Comparison = "email"        // whatever the case and the part after a plus
	SamePhone       Comparison = "phone"        // however it is written; see Region
	SameName        Comparison = "name"         // like words, without titles
	SameFullName    Comparison = "full_name"    // like name, in any order
	SameCompany     Comparison = "organisation" // like words, without legal forms
	SamePostAddress Comparison = "address"      // like words, with the usual abbreviations
)

// Comparisons are all of them.
var Comparisons = []Comparison{Exact, SameWords, SameCode, SameEmail, SamePhone, SameName, SameFullName, SameCompany, SamePostAddress}

// DuplicateScope says among which records a [DuplicateRule] looks.
type DuplicateScope string

// The scopes; the zero value is ScopeTable.
const (
	ScopeTable DuplicateScope = "table"
	ScopeUnit  DuplicateScope = "unit" // those of the same business unit
)

// DuplicateDeed says what a [DuplicateRule] does with a record that is like another.
type DuplicateDeed string

// The deeds; the zero value is WarnDuplicate.
const (
	WarnDuplicate  DuplicateDeed = "warn"  // the writer is told
	BlockDuplicate DuplicateDeed = "block" // the record is refused
)

// Alike reports whether both rules find the same records, whatever they are called and do.
func (r DuplicateRule) Alike(o DuplicateRule) bool {
	return slices.Equal(r.Columns, o.Columns) && r.When == o.When && r.Scope == o.Scope
}

// completed returns the rule with what a definition may leave out.
func (r DuplicateRule) completed() DuplicateRule {
	r.Columns = slices.Clone(r.Columns)
	for i := range r.Columns {
		if r.Columns[i].Compare == "" {
			r.Columns[i].Compare = Exact
		}
	}
	if r.Scope == "" {
		r.Scope = ScopeTable
	}
	if r.Do == "" {
		r.Do = WarnDuplicate
	}
	return r
}

// Same reports whether both rules are the same, when what they may leave out is there.
func (r DuplicateRule) Same(o DuplicateRule) bool {
	r, o = r.completed(), o.completed()
	return r.Name == o.Name && r.Doc == o.Doc && r.Order == o.Order && r.Do == o.Do && r.Alike(o)
}

// maxDuplicateRules is how many duplicate rules a table has at most: each costs every write of its columns.
const maxDuplicateRules = 10

// completeDuplicates gives the duplicate rules one form and their order.
func (t *Table) completeDuplicates() {
	if len(t.Duplicates) == 0 {
		return
	}
	rules := make([]DuplicateRule, len(t.Duplicates))
	for i, r := range t.Duplicates {
		rules[i] = r.completed()
	}
	slices.SortStableFunc(rules, func(a, b DuplicateRule) int {
		if a.Order != b.Order {
			return a.Order - b.Order
		}
		return strings.Compare(a.Name, b.Name)
	})
	t.Duplicates = rules
}

// checkDuplicates finds what is wrong with the duplicate rules of t, apart from their conditions.
func (t *Table) checkDuplicates() error {
	const op = "core.DuplicateRule"
	if len(t.Duplicates) > maxDuplicateRules {
		return E(op, Limit, At{Table: t.Name}, fmt.Sprintf("a table has at most %d duplicate rules", maxDuplicateRules))
	}
	for i, r := range t.Duplicates {
		at := At{Table: t.Name, Rule: r.Name}
		for _, o := range t.Duplicates[:i] {
			if o.Name == r.Name {
				return E(op, Exists, at, "the table has two duplicate rules of this name")
			}
			if o.Alike(r) {
				return E(op, Invalid, at, fmt.Sprintf("the rule compares what %q compares: leave one out", o.Name))
			}
		}
		if err := t.checkDuplicate(r); err != nil {
			return E(op, at, err)
		}
	}
	return nil
}

func (t *Table) checkDuplicate(r DuplicateRule) error {
	const op = "core.DuplicateRule"
	switch {
	case r.Name == "":
		return E(op, Invalid, "a duplicate rule needs a name")
	case len(r.Columns) == 0:
		return E(op, Invalid, "the rule names no column")
	case len(r.Columns) > MaxKeyColumns:
		return E(op, Limit, fmt.Sprintf("a duplicate rule names at most %d columns", MaxKeyColumns))
	case r.Do != WarnDuplicate && r.Do != BlockDuplicate:
		return E(op, Invalid, fmt.Sprintf("do is %q: choose warn or block", r.Do))
	case r.Scope != ScopeTable && r.Scope != ScopeUnit:
		return E(op, Invalid, fmt.Sprintf("scope is %q: choose table or unit", r.Scope))
	case r.Scope == ScopeUnit && !t.Owned():
		return E(op, Invalid, "the records of the table belong to no unit: choose the scope table")
	}
	for i, dc := range r.Columns {
		c, err := t.Need(dc.Column)
		if err != nil {
			return err
		}
		problem := ""
		switch {
		case slices.ContainsFunc(r.Columns[:i], func(o DuplicateColumn) bool { return o.Column == dc.Column }):
			problem = "the rule names the column twice"
		case c.Virtual():
			problem = "a calculated column is compared only when it is stored: set stored"
		case c.Kind != LongText && noKey[c.Kind] != "":
			problem = fmt.Sprintf("a column of the kind %s cannot be compared", c.Kind)
		case !slices.Contains(Comparisons, dc.Compare):
			problem = fmt.Sprintf("compare is %q: choose one of %s", dc.Compare, comparisonNames())
		case dc.Compare != Exact && !c.Kind.Info().Like:
			problem = fmt.Sprintf("only texts are compared as %s: choose exact", dc.Compare)
		case dc.Region != "" && dc.Compare != SamePhone:
			problem = "only a telephone number has a region"
		}
		if problem != "" {
			return E(op, Invalid, At{Column: dc.Column}, problem)
		}
	}
	return nil
}

func comparisonNames() string {
	out := make([]string, len(Comparisons))
	for i, c := range Comparisons {
		out[i] = string(c)
	}
	return strings.Join(out, ", ")
}

// PutDuplicateRule adds a duplicate rule, or replaces the one of its name.
type PutDuplicateRule struct {
	On  string
	Put DuplicateRule
}

// Table implements [Change].
func (c PutDuplicateRule) Table() string { return c.On }

func (c PutDuplicateRule) apply(d *draft) error {
	t, err := d.table(c.On)
	if err != nil {
		return err
	}
	t.Duplicates = slices.Clone(t.Duplicates)
	if i := slices.IndexFunc(t.Duplicates, func(r DuplicateRule) bool { return r.Name == c.Put.Name }); i >= 0 {
		t.Duplicates[i] = c.Put
	} else {
		t.Duplicates = append(t.Duplicates, c.Put)
	}
	d.tables[c.On] = t
	return nil
}

// renameDuplicates renames columns in the duplicate rules of t; their conditions follow with the other expressions.
func (t *Table) renameDuplicates(named func(*string)) {
	t.Duplicates = slices.Clone(t.Duplicates)
	for i := range t.Duplicates {
		t.Duplicates[i].Columns = slices.Clone(t.Duplicates[i].Columns)
		for j := range t.Duplicates[i].Columns {
			named(&t.Duplicates[i].Columns[j].Column)
		}
	}
}
