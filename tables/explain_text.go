package tables

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"colonnade/authz"
	"colonnade/core"
)

// because says why a grant reaches the record of the ballot, or does not; without one, which records it reaches.
func (q *inquiry) because(w *weighed, b *ballot) string {
	role := "role " + w.Role
	switch {
	case b == nil && len(w.Arms) == 0 && w.Condition == nil, w.judged() && w.reaches() && len(w.Arms) == 0 && w.Condition == nil:
		return role + " gives it for every record"
	case b == nil:
		return role + " gives it for some records"
	case !w.level():
		return role + " gives it at the level " + w.Level.String() + ", which does not reach the record" + q.place(b)
	case !*w.condition:
		return role + " gives it under a condition, which does not hold for the record"
	}
	var parts []string
	for i, a := range w.Arms {
		if *w.arms[i] {
			parts = append(parts, q.byArm(w, a.Kind, b))
			break
		}
	}
	if w.Condition != nil {
		parts = append(parts, "its condition holds")
	}
	return role + ": " + strings.Join(parts, ", and ")
}

// place says whose the record is, to who may know.
func (q *inquiry) place(b *ballot) string {
	if !q.all {
		return ""
	}
	return fmt.Sprintf(": it belongs to %s, in the unit %s", q.owner(b.owner), q.snap.Policy.UnitName(b.unit))
}

// owner names a user or a team.
func (q *inquiry) owner(id core.ID) string {
	kind, name := q.snap.Policy.PrincipalName(id)
	if kind == "team" {
		return "the team " + name
	}
	return name
}

// byArm says by what the record is within the level of the grant. Who asks about himself learns nobody's name.
func (q *inquiry) byArm(w *weighed, kind authz.ArmKind, b *ballot) string {
	switch kind {
	case authz.ByOwner:
		switch {
		case b.owner == q.who.User && q.all:
			return "the record belongs to " + q.name
		case b.owner == q.who.User:
			return "the record belongs to you"
		case q.all:
			return fmt.Sprintf("the record belongs to %s, of which %s is a member", q.owner(b.owner), q.name)
		}
		return "the record belongs to a team of yours"
	case authz.ByReport:
		if !q.all {
			return "the record belongs to somebody who is below you in the hierarchy"
		}
		return "the record belongs to " + q.below(b.owner)
	case authz.ByShare:
		if !q.all {
			return "the record is shared with you, with a team of yours, or with everyone"
		}
		return q.sharedBy(core.Op(w.Privilege))
	}
	if !q.all {
		return "the record is in a unit that the role reaches"
	}
	var from []string
	for _, u := range w.Units {
		from = append(from, q.snap.Policy.UnitName(u))
	}
	return fmt.Sprintf("the record is in the unit %s, and the level %s counts from %s", q.snap.Policy.UnitName(b.unit), w.Level, strings.Join(from, ", "))
}

// sharedBy says by which share a right to the record is his.
func (q *inquiry) sharedBy(right core.Op) string {
	for _, s := range q.shares {
		mine := s.principal == q.who.User || s.principal == core.Everyone || slices.Contains(q.who.Teams, s.principal)
		if !mine || !s.rights.Has(right) || !s.expires.IsZero() && !s.expires.After(q.at) {
			continue
		}
		text := "the record is shared with " + q.owner(s.principal) + " by " + q.owner(s.by)
		if !s.expires.IsZero() {
			text += " until " + s.expires.Format(time.RFC3339)
		}
		if s.reason != "" {
			text += " (" + s.reason + ")"
		}
		return text
	}
	return "a record that it looks up is shared with " + q.name
}

// below says how an owner is below the one who is asked about.
func (q *inquiry) below(owner core.ID) string {
	names, through := q.snap.Policy.Superiors(q.who.User, owner)
	if len(names) == 0 {
		return q.owner(owner)
	}
	text := names[0]
	if through != "" {
		text = fmt.Sprintf("the team %s, of which %s is a member", through, names[0])
	}
	if len(names) == 1 {
		return text + ", who is below " + q.name
	}
	return fmt.Sprintf("%s, who is below %s by way of %s", text, q.name, strings.Join(names[1:], ", "))
}

// held says how the role of a grant is held.
func (q *inquiry) held(w *weighed) []any {
	out := []any{}
	for _, r := range w.Routes {
		text := "himself: " + r.String()
		if !q.all {
			text = "yourself: " + r.String()
		}
		if r.Team != "" {
			_, name := q.snap.Policy.PrincipalName(r.Team)
			text = "through the team " + name + ": " + r.String()
		}
		if r.Unit != "" {
			text += ", for the unit " + q.snap.Policy.UnitName(r.Unit)
		}
		if r.Apart {
			text += ", for the records of the team only"
		}
		out = append(out, text)
	}
	return out
}

// sentence is the answer in one.
func (q *inquiry) sentence() string {
	subject := q.name
	if !q.all {
		subject = "you"
	}
	object := strings.ReplaceAll(q.action, "_", " ")
	if q.table != nil {
		object = fmt.Sprintf("%s records of %s", strings.ReplaceAll(string(q.priv), "_", " "), q.table.Name)
		if q.id != "" {
			object = fmt.Sprintf("%s this record of %s", strings.ReplaceAll(string(q.priv), "_", " "), q.table.Name)
		}
		if q.column != "" {
			object += ", " + q.column
		}
	}
	for _, s := range q.steps {
		if !s.ok {
			return fmt.Sprintf("%s may not %s: %s", subject, object, s.text)
		}
	}
	return fmt.Sprintf("%s may %s: %s", subject, object, q.why)
}
