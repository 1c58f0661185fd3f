package tables

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/authz"
	"colonnade/core"
)

// Handling says what becomes of the values of a column that are read for the use, and by which of its data classes: by the strictest.
func (n *Snapshot) Handling(table, column string, u core.Use) (h core.Handling, class string) {
	h = core.Allow
	if u == core.Shown {
		return h, ""
	}
	for _, name := range n.Rules.Classes(table, column) {
		of, _ := n.Schema.DataClass(name)
		if says := of.Handled(u); says == core.Deny || says == core.Mask && h == core.Allow {
			h, class = says, name
		}
	}
	return h, class
}

// ErrUse is the error for values that are not there for the use, because of a data class of their column.
func ErrUse(table, column, class string, u core.Use) error {
	what := "are read by no model"
	switch u {
	case core.UseExport:
		what = "are not exported"
	case core.UseLog:
		what = "are kept out of logs"
	}
	return core.E("tables.ErrUse", core.Denied, core.At{Table: table, Column: column}, fmt.Sprintf("the column carries the data class %s, whose values %s: leave it out, or ask an administrator", class, what))
}

// MaySend returns nil when the action may take the values of the columns that its arguments name, as far as they are known: where
// they go then, their data classes allow. Of columns that the caller does not see it says nothing: he cannot have them taken.
func (n *Snapshot) MaySend(c core.Caller, a *core.Action, in core.Record) error {
	for _, at := range a.Sends.Columns(in) {
		if may, err := n.Policy.Decide(c, at.Table, authz.Read); err != nil || !knows(may, at.Column) {
			continue
		}
		if err := n.MaySendColumn(a, in, at); err != nil {
			return err
		}
	}
	return nil
}

// MaySendColumn is [Snapshot.MaySend] for values of one column, where in are the arguments as far as they are known. Those that a model
// reads masked it may be given.
func (n *Snapshot) MaySendColumn(a *core.Action, in core.Record, at core.At) error {
	if a.Sends.Model {
		if h, class := n.Handling(at.Table, at.Column, core.UseModel); h == core.Deny {
			return ErrUse(at.Table, at.Column, class, core.UseModel)
		}
	}
	if a.Sends.Log {
		if h, class := n.Handling(at.Table, at.Column, core.UseLog); h == core.Deny {
			return ErrUse(at.Table, at.Column, class, core.UseLog)
		}
	}
	sends := a.Sends.Of(in)
	for _, name := range n.Rules.Classes(at.Table, at.Column) {
		of, _ := n.Schema.DataClass(name)
		for _, host := range sends.Hosts {
			if of.Reaches(host) {
				continue
			}
			to := "no server"
			if of.Sent() == core.EgressHosts {
				to = "no server but " + strings.Join(of.Hosts, ", ")
			}
			if host == core.AnyHost {
				host = "any server"
			}
			return core.E("tables.MaySend", core.Denied, core.At{Table: at.Table, Column: at.Column}, fmt.Sprintf("the column carries the data class %s, whose values go to %s, and the action %s sends them to %s: leave it out, or ask an administrator", name, to, a.Name, host))
		}
	}
	return nil
}

// Sees returns the columns of the table of which the caller sees something in some record.
func (n *Snapshot) Sees(c core.Caller, table string) map[string]bool {
	out := map[string]bool{}
	may, err := n.Policy.Decide(c, table, authz.Read)
	if err != nil {
		return out
	}
	t, err := n.Schema.Table(table)
	if err != nil {
		return out
	}
	for i := range t.Columns {
		if knows(may, t.Columns[i].Name) {
			out[t.Columns[i].Name] = true
		}
	}
	return out
}

// Barred returns the data classes whose values must not all go where s sends them, sorted. Values that a model reads masked are among
// them: who reads records by himself is given no masks.
func (n *Snapshot) Barred(s *core.Sends) (out []string) {
	for _, of := range n.Schema.DataClasses() {
		bars := s.Model && of.Taught() != core.Allow || s.Log && of.Logged() == core.Deny ||
			slices.ContainsFunc(s.Hosts, func(host string) bool { return !of.Reaches(host) })
		if bars {
			out = append(out, of.Name)
		}
	}
	slices.Sort(out)
	return out
}
