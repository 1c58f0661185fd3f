package tables

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"colonnade/core"
)

// changeSpec is a change as an argument of an action, or as a line of a plan.
type changeSpec struct {
	Change   string          `json:"change"`
	Table    string          `json:"table,omitempty"`
	Name     string          `json:"name,omitempty"`
	To       string          `json:"to,omitempty"`
	As       string          `json:"as,omitempty"`
	Define   json.RawMessage `json:"define,omitempty"`
	Set      map[string]any  `json:"set,omitempty"`
	OnLoss   string          `json:"on_loss,omitempty"`
	Backfill string          `json:"backfill,omitempty"`
	Owner    string          `json:"owner,omitempty"`
}

// changeSpecs are the changes by their names.
var changeSpecs = map[string]func(c *changeSpec) (core.Change, error){
	"create_table": func(c *changeSpec) (core.Change, error) {
		t, err := defined[core.Table](c)
		return core.CreateTable{Define: t}, err
	},
	"alter_table": func(c *changeSpec) (core.Change, error) { return core.AlterTable{Of: c.Table, Set: c.Set}, nil },
	"rename_table": func(c *changeSpec) (core.Change, error) {
		return core.RenameTables{To: map[string]string{c.Table: c.To}}, nil
	},
	"drop_table":  func(c *changeSpec) (core.Change, error) { return core.DropTable{Name: c.Table}, nil },
	"undo_table":  func(c *changeSpec) (core.Change, error) { return core.UndoTable{Name: c.Table, As: c.As}, nil },
	"purge_table": func(c *changeSpec) (core.Change, error) { return core.PurgeTable{Physical: c.Table}, nil },
	"set_ownership": func(c *changeSpec) (core.Change, error) {
		return core.SetOwnership{Of: c.Table, To: core.Ownership(c.To), Owner: core.ID(c.Owner)}, nil
	},
	"add_column": func(c *changeSpec) (core.Change, error) {
		col, err := defined[core.Column](c)
		return core.AddColumn{To: c.Table, Add: col}, err
	},
	"alter_column": func(c *changeSpec) (core.Change, error) {
		return core.AlterColumn{Of: c.Table, Column: c.Name, Set: c.Set, Backfill: c.Backfill}, nil
	},
	"rename_column": func(c *changeSpec) (core.Change, error) {
		return core.RenameColumns{Of: c.Table, To: map[string]string{c.Name: c.To}}, nil
	},
	"retype_column": func(c *changeSpec) (core.Change, error) {
		col, err := defined[core.Column](c)
		col.Name = c.Name
		return core.RetypeColumn{Of: c.Table, To: col, Keep: true, OnLoss: c.OnLoss}, err
	},
	"drop_column": func(c *changeSpec) (core.Change, error) { return core.DropColumn{Of: c.Table, Name: c.Name}, nil },
	"undo_column": func(c *changeSpec) (core.Change, error) {
		return core.UndoColumn{Of: c.Table, Name: c.Name, As: c.As}, nil
	},
	"purge_column": func(c *changeSpec) (core.Change, error) { return core.PurgeColumn{Of: c.Table, Physical: c.Name}, nil },
	"add_key": func(c *changeSpec) (core.Change, error) {
		k, err := defined[core.Key](c)
		return core.AddKey{To: c.Table, Add: k}, err
	},
	"add_index": func(c *changeSpec) (core.Change, error) {
		x, err := defined[core.Index](c)
		return core.AddIndex{To: c.Table, Add: x}, err
	},
	"put_rule": func(c *changeSpec) (core.Change, error) {
		r, err := defined[core.Rule](c)
		return core.PutRule{On: c.Table, Put: r}, err
	},
	"put_duplicate_rule": func(c *changeSpec) (core.Change, error) {
		r, err := defined[core.DuplicateRule](c)
		return core.PutDuplicateRule{On: c.Table, Put: r}, err
	},
	"put_operation": func(c *changeSpec) (core.Change, error) {
		o, err := defined[core.Operation](c)
		return core.PutOperation{Put: o}, err
	},
	"drop_operation":        func(c *changeSpec) (core.Change, error) { return core.DropOperation{Name: c.Name}, nil },
	"rename_duplicate_rule": renamePart(core.PartDuplicate), "drop_duplicate_rule": dropPart(core.PartDuplicate),
	"put_search": func(c *changeSpec) (core.Change, error) {
		columns, err := defined[[]core.SearchColumn](c)
		return core.PutSearch{On: c.Table, Columns: columns}, err
	},
	"rename_key": renamePart(core.PartKey), "rename_index": renamePart(core.PartIndex), "rename_rule": renamePart(core.PartRule),
	"drop_key": dropPart(core.PartKey), "drop_index": dropPart(core.PartIndex), "drop_rule": dropPart(core.PartRule),
	"undo_key": undoPart(core.PartKey), "undo_index": undoPart(core.PartIndex),
}

func renamePart(p core.Part) func(*changeSpec) (core.Change, error) {
	return func(c *changeSpec) (core.Change, error) {
		return core.RenamePart{Part: p, Of: c.Table, Name: c.Name, To: c.To}, nil
	}
}

func dropPart(p core.Part) func(*changeSpec) (core.Change, error) {
	return func(c *changeSpec) (core.Change, error) {
		return core.DropPart{Part: p, Of: c.Table, Name: c.Name}, nil
	}
}

func undoPart(p core.Part) func(*changeSpec) (core.Change, error) {
	return func(c *changeSpec) (core.Change, error) {
		return core.UndoPart{Part: p, Of: c.Table, Name: c.Name}, nil
	}
}

// defined reads what the change defines. What only the program says of a column or a table is no part of it. A name that is not in it is
// that of the change.
func defined[T any](c *changeSpec) (out T, err error) {
	name := c.Name
	if c.Change == "create_table" {
		name = cmp.Or(name, c.Table)
	}
	define, err := c.named(name)
	if err != nil {
		return out, err
	}
	d := json.NewDecoder(bytes.NewReader(define))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		return out, core.E("tables.defined", core.Invalid, fmt.Sprintf("define of %s: %s", c.Change, strings.TrimPrefix(err.Error(), "json: ")), err)
	}
	return out, nil
}

// named returns what the change defines with a name in it, unless it has that one itself.
func (c *changeSpec) named(name string) (json.RawMessage, error) {
	const op = "tables.named"
	var members map[string]json.RawMessage
	if json.Unmarshal(c.Define, &members) != nil || name == "" {
		return c.Define, nil // who reads it tells what is wrong
	}
	quoted, err := json.Marshal(name)
	if err != nil {
		return nil, core.E(op, err)
	}
	if own, ok := members["name"]; ok && string(own) != string(quoted) {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("%s has the name %q, and %s in define: give it once", c.Change, name, own))
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	members["name"] = quoted
	out, err := json.Marshal(members)
	return out, core.E(op, err)
}

// changesOf returns the changes. Renames of columns of one table that follow each other, and renames of tables, happen at
// the same time: the names are those of before, so that two can be swapped.
func changesOf(specs []changeSpec) ([]core.Change, error) {
	const op = "tables.changesOf"
	var out []core.Change
	for i := range specs {
		at := core.At{Item: i + 1}
		make, ok := changeSpecs[specs[i].Change]
		if !ok {
			return nil, core.E(op, core.Invalid, at, fmt.Sprintf("there is no change %q; there are: %s", specs[i].Change, strings.Join(slices.Sorted(maps.Keys(changeSpecs)), ", ")))
		}
		c, err := make(&specs[i])
		if err != nil {
			return nil, core.E(op, at, err)
		}
		if n := len(out); n > 0 && together(out[n-1], c) {
			continue
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, core.E(op, core.Invalid, "there is nothing to change")
	}
	return out, nil
}

// together adds a rename to the one before it, where they are about the same.
func together(last, c core.Change) bool {
	switch c := c.(type) {
	case core.RenameTables:
		if before, ok := last.(core.RenameTables); ok {
			maps.Copy(before.To, c.To)
			return true
		}
	case core.RenameColumns:
		if before, ok := last.(core.RenameColumns); ok && before.Of == c.Of {
			maps.Copy(before.To, c.To)
			return true
		}
	}
	return false
}
