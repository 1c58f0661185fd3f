package core

import (
	"fmt"
	"slices"
	"strings"
)

// Everyone is the principal of a share that counts for all who sign in.
const Everyone ID = "00000000-0000-7000-8000-000000000002"

// ShareRights is a set of the privileges that a share of a record can give: the i-th bit stands for the i-th of [Shareable].
type ShareRights int64

// Shareable are the privileges that a share can give.
var Shareable = []Op{Read, Update, Delete, Append, AppendTo, Assign, Share}

// ShareRight returns the set of one privilege, which is empty when it cannot be shared.
func ShareRight(op Op) ShareRights {
	i := slices.Index(Shareable, op)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// ParseShareRights returns the set of the privileges.
func ParseShareRights(names []string) (rights ShareRights, err error) {
	for _, name := range names {
		right := ShareRight(Op(name))
		if right == 0 {
			var have []string
			for _, op := range Shareable {
				have = append(have, string(op))
			}
			return 0, E("core.ParseShareRights", Invalid, At{Column: "rights"}, fmt.Sprintf("%q cannot be shared; there are: %s", name, strings.Join(have, ", ")))
		}
		rights |= right
	}
	return rights, nil
}

// Has reports whether the privilege is in the set.
func (s ShareRights) Has(op Op) bool { return s&ShareRight(op) != 0 }

// Each yields the privileges of the set.
func (s ShareRights) Each(yield func(Op) bool) {
	for _, op := range Shareable {
		if s.Has(op) && !yield(op) {
			return
		}
	}
}

// Names returns the privileges of the set.
func (s ShareRights) Names() (out []string) {
	for op := range s.Each {
		out = append(out, string(op))
	}
	return out
}

// maxSharers is how many ways there may be from a record to those whose shares it inherits.
const maxSharers = 64

// ShareSteps is how many lookups may lead from a record to one whose shares it inherits.
const ShareSteps = 8

// Sharer is where records inherit shares: what lookups lead to. Way leads to the record that has the lookup; it is empty where the
// inheriting record has it itself.
type Sharer struct {
	Way    []Relation
	Lookup *Column
	Table  *Table // that the lookup leads to
}

// Sharers yields where records of the table inherit shares, the nearest first on each way. Records that lead back to themselves are
// met again until the ways end.
func (s *Schema) Sharers(table string) func(yield func(Sharer) bool) {
	return func(yield func(Sharer) bool) { s.sharers(s.tables[table], nil, yield) }
}

func (s *Schema) sharers(t *Table, way []Relation, yield func(Sharer) bool) bool {
	if t == nil || len(way) == ShareSteps {
		return true
	}
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.InheritShares {
			continue
		}
		to := s.tables[c.Target]
		if !yield(Sharer{way, c, to}) {
			return false
		}
		further := append(slices.Clip(way), Relation{Name: c.Relation, Table: c.Target, Column: c.Name})
		if !s.sharers(to, further, yield) {
			return false
		}
	}
	return true
}

// checkSharers checks that shares are inherited among tables whose records belong to users, and not by too many ways.
func (s *Schema) checkSharers() error {
	const op = "core.NewSchema"
	for _, t := range s.sorted {
		for i := range t.Columns {
			c := &t.Columns[i]
			if to := s.tables[c.Target]; c.InheritShares && (!t.Owned() || !to.Owned()) {
				return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "shares are inherited between tables whose records belong to users: leave inherit_shares out, or set the ownership of both to user")
			}
		}
		n := 0
		for range s.Sharers(t.Name) {
			if n++; n > maxSharers {
				return E(op, Invalid, At{Table: t.Name}, fmt.Sprintf("there are more than %d ways by which a record would inherit shares: set inherit_shares on fewer lookups", maxSharers))
			}
		}
	}
	return nil
}

// ShareTemplate is a set of rights that records of a table are shared with under one name.
type ShareTemplate struct {
	Name   string   `json:"name"`
	Doc    string   `json:"doc,omitempty"`
	Rights []string `json:"rights"`
}

// ShareTemplate returns the rights of the template of that name, or an error that names the nearest one.
func (t *Table) ShareTemplate(name string) (ShareRights, error) {
	var have []string
	for _, s := range t.ShareTemplates {
		if s.Name == name {
			return ParseShareRights(s.Rights)
		}
		have = append(have, s.Name)
	}
	msg := fmt.Sprintf("the table has no template %q", name)
	if near := Suggest(name, have); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return 0, E("core.ShareTemplate", Invalid, At{Table: t.Name, Column: "template"}, msg)
}

// checkShares checks what the table says of shares of its records.
func (t *Table) checkShares() error {
	const op = "core.Table"
	if (t.KeepPreviousOwner || len(t.ShareTemplates) > 0) && !t.Owned() {
		return E(op, Invalid, At{Table: t.Name}, "keep_previous_owner and share_templates are about whom records belong to, and those of this table belong to the organization: leave them out, or set the ownership to user")
	}
	seen := map[string]bool{}
	for _, s := range t.ShareTemplates {
		if err := CheckName("share template", s.Name); err != nil {
			return E(op, At{Table: t.Name}, err)
		}
		if rights, err := ParseShareRights(s.Rights); err != nil || rights == 0 || seen[s.Name] {
			msg := "name at least one right"
			switch {
			case err != nil:
				msg = AsError(err).Msg
			case seen[s.Name]:
				msg = "there are two of this name"
			}
			return E(op, Invalid, At{Table: t.Name}, fmt.Sprintf("share template %q: %s", s.Name, msg))
		}
		seen[s.Name] = true
	}
	return nil
}
