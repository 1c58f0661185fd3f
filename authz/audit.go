package authz

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"colonnade/core"
)

// Alteration is a row of the policy that became another, for the audit.
type Alteration struct {
	Of     string  `json:"of"` // the table
	ID     core.ID `json:"id"`
	Before any     `json:"before"` // null for a new one
	After  any     `json:"after"`  // null for one that is gone
}

// Alterations returns what differs between two policies. Of people it tells what their rights depend on, and neither name nor
// address: the audit is kept for good.
func Alterations(from, to *Data) []Alteration {
	was, is := from.facts(), to.facts()
	out := []Alteration{}
	for _, k := range slices.SortedFunc(maps.Keys(was), factKey.compare) {
		if after, ok := is[k]; !ok || !reflect.DeepEqual(was[k], after) {
			out = append(out, Alteration{k.of, k.id, was[k], is[k]})
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(is), factKey.compare) {
		if _, ok := was[k]; !ok {
			out = append(out, Alteration{k.of, k.id, nil, is[k]})
		}
	}
	return out
}

// Digest stands for the whole policy, as far as [Alterations] tells of it.
func (d *Data) Digest() string {
	facts := d.facts()
	h := sha256.New()
	e := json.NewEncoder(h)
	for _, k := range slices.SortedFunc(maps.Keys(facts), factKey.compare) {
		if err := e.Encode(Alteration{k.of, k.id, nil, facts[k]}); err != nil {
			panic(err) // texts have a JSON form, and a hash takes everything
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

type factKey struct {
	of string
	id core.ID
}

func (k factKey) compare(o factKey) int {
	if c := strings.Compare(k.of, o.of); c != 0 {
		return c
	}
	return strings.Compare(string(k.id), string(o.id))
}

// facts are the rows of the policy, as the audit tells of them.
func (d *Data) facts() map[factKey]any {
	out := map[factKey]any{}
	for _, u := range d.Units {
		out[factKey{"_unit", u.ID}] = map[string]any{"name": u.Name, "parent": orNone(u.ParentID)}
	}
	for _, u := range d.Users {
		out[factKey{"_user", u.ID}] = map[string]any{"unit": u.UnitID, "disabled": u.Disabled, "second_factor": u.SecondFactor, "manager": orNone(u.ManagerID), "position": orNone(u.PositionID)}
	}
	for _, q := range d.Positions {
		out[factKey{"_position", q.ID}] = map[string]any{"name": q.Name, "parent": orNone(q.ParentID)}
	}
	for _, h := range d.Hierarchies {
		out[factKey{"_hierarchy", h.ID}] = map[string]any{"mode": h.Mode, "depth": h.Depth}
	}
	for _, t := range d.Teams {
		out[factKey{"_team", t.ID}] = map[string]any{"name": t.Name, "unit": t.UnitID, "unit_default": t.UnitDefault}
	}
	for _, m := range d.Members {
		out[factKey{"_team_member", m.ID}] = map[string]any{"team": m.TeamID, "user": m.UserID}
	}
	for _, r := range d.Roles {
		out[factKey{"_role", r.ID}] = map[string]any{"name": r.Name, "doc": r.Doc, "tests": r.Tests, "second_factor": r.SecondFactor, "denied_classes": r.DeniedClasses}
	}
	for _, l := range d.Limits {
		role := core.ID("")
		if l.RoleID != nil {
			role = *l.RoleID
		}
		out[factKey{"_query_limit", l.ID}] = map[string]any{"role": role, "name": l.Name, "value": l.Value}
	}
	d.columnFacts(out)
	for i := range d.Rules {
		r := &d.Rules[i]
		out[factKey{"_policy", r.ID}] = append([]string{r.Ptype}, r.values()...)
	}
	return out
}

// orNone returns an id, "" for none.
func orNone(id *core.ID) core.ID {
	if id == nil {
		return ""
	}
	return *id
}
