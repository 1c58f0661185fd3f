package tables

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"colonnade/core"
	"colonnade/core/normal"
	"colonnade/rules"
)

// Records are compared by a hash of what they hold, in the form that makes alike values equal; see docs/decisions/016. The
// table _duplicate has it for every record that a rule compares, and is written with the record. So a rule costs a write one
// probe of an index, and a table without rules nothing.

// Duplicates says what a write does with records that are like others.
type Duplicates string

// The ways; the zero value is DuplicatesWarn. Rules that block do so in each of them, but for who may allow_duplicates.
const (
	DuplicatesWarn   Duplicates = "warn"   // records are written, and the result tells which others they are like
	DuplicatesRefuse Duplicates = "refuse" // a record that is like another is refused
	DuplicatesAllow  Duplicates = "allow"  // nobody is asked, also rules that block when the caller may allow_duplicates
)

// Duplicate is a record that another is like.
type Duplicate struct {
	Rule   string
	Record core.ID
}

// maxLikes is how many records a write names that another is like, for each rule.
const maxLikes = 5

// duplicateRule is a duplicate rule, compiled.
type duplicateRule struct {
	core.DuplicateRule
	table   *core.Table
	key     int64 // of what it compares: see duplicateKey
	columns []*core.Column
	when    *rules.Expr
}

// compileDuplicates compiles the duplicate rules of a table.
func compileDuplicates(s *core.Schema, t *core.Table) (out []*duplicateRule, err error) {
	const op = "tables.compileDuplicates"
	for _, d := range t.Duplicates {
		r := &duplicateRule{DuplicateRule: d, table: t}
		at := core.At{Table: t.Name, Rule: d.Name}
		if r.key, err = duplicateKey(t, d); err != nil {
			return nil, core.E(op, at, err)
		}
		for _, dc := range d.Columns {
			c, err := t.Need(dc.Column)
			if err != nil {
				return nil, core.E(op, at, err)
			}
			r.columns = append(r.columns, c)
		}
		if d.When != "" {
			if r.when, err = compileWhen(s, t, d.When); err != nil {
				return nil, core.E(op, at, err)
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// compileWhen compiles the condition of a duplicate rule. It must say the same of a record until the record is written again:
// records that are like each other are found by what was computed then.
func compileWhen(s *core.Schema, t *core.Table, source string) (*rules.Expr, error) {
	const op = "tables.compileWhen"
	e, err := rules.Compile(s, t, source, rules.Options{Memory: true})
	if err != nil {
		return nil, err
	}
	if e.Type != "bool" {
		return nil, core.E(op, core.Invalid, "the condition of a rule is true or false, and this is "+e.Type)
	}
	if e.Outside {
		return nil, core.E(op, core.Invalid, "the condition reads the caller or the time, which change without the record: leave them out")
	}
	if len(e.Needs) > 0 {
		return nil, core.E(op, core.Invalid, "the condition reads other records, which change without this one: have a business rule keep what it needs in a column of the record, and compare that")
	}
	for _, name := range e.Columns {
		if c, ok := t.Column(name); ok && c.Calculated() {
			return nil, core.E(op, core.Invalid, core.At{Column: name}, "the condition reads a calculated column: name the columns that it is calculated from")
		}
	}
	return e, nil
}

// duplicateKey stands for what a rule compares: rules that find the same records have the same key, whatever they and their
// columns are called.
func duplicateKey(t *core.Table, r core.DuplicateRule) (int64, error) {
	h := fnv.New64a()
	part := func(s string) { _, _ = h.Write(append([]byte(s), 0)) }
	part(t.SQL())
	physical := make(map[string]string, len(t.Columns))
	for i := range t.Columns {
		physical[t.Columns[i].Name] = t.Columns[i].SQL()
	}
	for _, dc := range r.Columns {
		part(physical[dc.Column])
		part(string(dc.Compare))
		part(dc.Region)
	}
	part(string(r.Scope))
	when, err := rules.RenameColumns(r.When, physical)
	if r.When != "" && err != nil {
		return 0, err
	}
	part(when)
	return int64(h.Sum64()), nil
}

// forms are the forms of texts that compare equal. A nil form is the text itself.
var forms = map[core.Comparison]func(s, region string) string{
	core.Exact:           nil,
	core.SameWords:       plainForm(normal.Words),
	core.SameCode:        plainForm(normal.Code),
	core.SameEmail:       func(s, _ string) string { return normal.Email(s, false) },
	core.SamePhone:       normal.Phone,
	core.SameName:        plainForm(normal.Name),
	core.SameFullName:    plainForm(normal.FullName),
	core.SameCompany:     plainForm(normal.Organisation),
	core.SamePostAddress: plainForm(normal.Address),
}

func plainForm(form func(string) string) func(string, string) string {
	return func(s, _ string) string { return form(s) }
}

// value is what a record is compared by: "" when it is like no other.
func (r *duplicateRule) value(rec core.Record, c core.Caller) (string, error) {
	h := sha256.New()
	var length [4]byte
	write := func(b []byte) {
		binary.BigEndian.PutUint32(length[:], uint32(len(b)))
		h.Write(length[:])
		h.Write(b)
	}
	if r.Scope == core.ScopeUnit {
		unit, _ := rec["unit_id"].(string)
		write([]byte(unit))
	}
	for i, column := range r.columns {
		b := r.form(i, column, rec[column.Name])
		if len(b) == 0 {
			return "", nil
		}
		write(b)
	}
	if r.when != nil {
		ok, err := r.when.True(rec, nil, c, nil)
		if err != nil {
			return "", core.E("tables.duplicates", core.At{Table: r.table.Name, Rule: r.Name}, err)
		}
		if !ok {
			return "", nil
		}
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16]), nil
}

// form returns a value in the form by which it is compared, nothing for one that is compared with no other.
func (r *duplicateRule) form(i int, c *core.Column, v any) []byte {
	if v == nil {
		return nil
	}
	s, text := v.(string)
	if !text {
		return c.AppendJSON(nil, v)
	}
	if form := forms[r.Columns[i].Compare]; form != nil {
		return []byte(form(s, r.Columns[i].Region))
	}
	return []byte(s)
}

// reads are the columns that the rule says something about.
func (r *duplicateRule) reads() []string {
	var out []string
	for _, c := range r.columns {
		out = append(out, c.Name)
	}
	if r.when != nil {
		out = append(out, r.when.Columns...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
