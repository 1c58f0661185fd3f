package tables

import (
	"context"
	"fmt"
	"io"
	"slices"

	"colonnade/core"
)

// classInput describes a data class as an argument.
var classInput = []core.Column{
	required(text("name", "The name of the class, such as personal; one of that name is replaced, for all columns that carry it.")),
	text("label", "The name for people."), text("doc", "What values are of the class."),
	text("mask", "What who may read a column of the class masked sees in its place, where the column has no mask of its own and this one, and those of its other classes, fit its kind: an expression over value, such as value.left(1) + '***'."),
	text("export", "What files of exported records hold: allow, the values (when left out); mask, what the mask of the column makes of them, or nothing; deny, the columns are not exported."),
	text("ai", "What models read, to learn or to answer: allow (when left out), mask, or deny."),
	text("log", "What the recordings of flows and the log of the server hold: allow, the values (when left out), or deny, … in their place."),
	text("egress", "Which servers values may be sent to: any (when left out), hosts, those that are named, or none."),
	{Name: "hosts", Kind: core.Text, List: true, Doc: "Of the egress hosts: the names of the servers, such as api.example.com."},
}

func (s *Store) putClass() core.Action {
	doc := "Adds or replaces a data class, which columns carry by their classes, and what is calculated from them. What it says of columns that carry it is changed by administrators only."
	return s.define("put_data_class", doc, classInput, func(in core.Record) (core.Change, error) {
		var c core.DataClass
		err := decodeInput(in, &c)
		return core.PutClass{Put: c}, err
	}, core.Example{Doc: "Values that say something of a person.", In: core.Record{"name": "personal", "mask": "value.left(1) + '***'", "export": "mask", "egress": "none"}})
}

func (s *Store) dropClass() core.Action {
	input := []core.Column{required(text("name", "The class."))}
	return s.define("drop_data_class", "Removes a data class that no column carries and no role is denied, as an administrator.", input, func(in core.Record) (core.Change, error) {
		name, _ := in["name"].(string)
		return core.DropClass{Name: name}, nil
	}, core.Example{In: core.Record{"name": "personal"}})
}

func (s *Store) listClasses() core.Action {
	fields := append(slices.Clone(classInput),
		core.Column{Name: "columns", Kind: core.Object, List: true, Required: true, Doc: "The columns that carry it.", Fields: []core.Column{
			text("table", "The table."), text("column", "The column."),
			{Name: "derived", Kind: core.Boolean, Doc: "Whether it carries the class through what it is calculated from, and not by its definition."},
		}},
		core.Column{Name: "denied_to", Kind: core.Text, List: true, Doc: "The roles whose holders are denied it, for those who manage access."},
	)
	return core.Action{
		Name: "data_classes", Privilege: "define_tables", Doc: "Lists the data classes, and the columns that carry them.",
		Output:   []core.Column{{Name: "classes", Kind: core.Object, List: true, Required: true, Fields: fields, Doc: "The classes, by name."}},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			snap := s.Snapshot()
			if tx := s.txFrom(ctx); tx != nil {
				snap = tx.snap
			}
			carried := snap.carriers()
			list := []any{}
			for _, c := range snap.Schema.DataClasses() {
				of := map[string]any{
					"name": c.Name, "label": orNull(c.Label), "doc": orNull(c.Doc), "mask": orNull(c.Mask), "export": string(c.Exported()), "ai": string(c.Taught()),
					"log": string(c.Logged()), "egress": string(c.Sent()), "hosts": core.Texts(c.Hosts), "columns": carried[c.Name],
				}
				if of["columns"] == nil {
					of["columns"] = []any{}
				}
				if snap.Policy.May(core.CallerFrom(ctx), "manage_access") == nil {
					of["denied_to"] = core.Texts(snap.access.DeniedTo(c.Name))
				}
				list = append(list, of)
			}
			return core.Record{"classes": list}, nil
		},
	}
}

// denyDigest writes what stands for the data classes that roles deny, and the columns that carry them.
func (n *Snapshot) denyDigest(to io.Writer) {
	for _, c := range n.Schema.DataClasses() {
		if roles := n.access.DeniedTo(c.Name); len(roles) > 0 {
			_, _ = fmt.Fprint(to, c.Name, roles, n.carriers()[c.Name])
		}
	}
}

// carriers returns the columns that carry each class, by table and their order in it.
func (n *Snapshot) carriers() map[string]any {
	out := map[string]any{}
	for _, t := range n.Schema.Tables() {
		for i := range t.Columns {
			c := &t.Columns[i]
			for _, name := range n.Rules.Classes(t.Name, c.Name) {
				list, _ := out[name].([]any)
				out[name] = append(list, map[string]any{"table": t.Name, "column": c.Name, "derived": !slices.Contains(t.ClassesOf(c), name)})
			}
		}
	}
	return out
}
