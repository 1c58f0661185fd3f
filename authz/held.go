package authz

import (
	"slices"
	"strings"

	"colonnade/rules"
)

// held is what a checked grant gives: the grant without the role, the table and the privilege that it is about. Of many roles and tables,
// most give the same few things, and share them.
type held struct {
	Level     Level
	Condition string
	Hidden    []string

	reads  []rules.Read // by the condition
	hidden map[string]bool
}

// grant returns h as the grant of a role.
func (h *held) grant(role, table string, priv Privilege) Grant {
	return Grant{Role: role, Table: table, Privilege: priv, Level: h.Level, Condition: h.Condition, Hidden: h.Hidden}
}

// heldRow is what a role holds on a table, by privilege. It may be that of others too: do not change it.
type heldRow [privileges][]*held

// sharing finds what is there already while a policy is made.
type sharing struct {
	held map[heldKey]*held
	rows map[[privileges]*held]*heldRow // those with one grant of a privilege at most
}

type heldKey struct {
	level                    Level
	table, condition, hidden string // the table only with a condition or hidden columns, which are checked against it
}

// one returns what the grant gives, which was checked.
func (s *sharing) one(g *Grant, checked held) *held {
	key := heldKey{level: checked.Level, condition: checked.Condition, hidden: strings.Join(checked.Hidden, ",")}
	if key.condition != "" || key.hidden != "" {
		key.table = g.Table
	}
	h := s.held[key]
	if h == nil {
		h = &checked
		s.held[key] = h
	}
	return h
}

// with returns the row with another grant of the i-th privilege; row may be nil.
func (s *sharing) with(row *heldRow, i int, h *held) *heldRow {
	if row == nil {
		row = &heldRow{}
	}
	single := len(row[i]) == 0
	var key [privileges]*held
	for j, of := range row {
		if len(of) > 0 {
			key[j] = of[0]
		}
		single = single && len(of) < 2
	}
	if key[i] = h; single && s.rows[key] != nil {
		return s.rows[key]
	}
	next := *row
	next[i] = append(slices.Clip(next[i]), h)
	if single {
		s.rows[key] = &next
	}
	return &next
}
