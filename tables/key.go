package tables

import (
	"context"
	"fmt"
	"slices"

	"colonnade/core"
)

// uniqueKey is what identifies a record: the primary key, a unique column, or a key of the table.
type uniqueKey struct {
	table   *core.Table
	name    string
	columns []*core.Column
	nulls   core.Nulls
}

// keyOf returns a key of the table by its name: "<table>_pkey", the name of a key, or a unique column. Whether its values are
// the caller's to ask for is not checked.
func keyOf(t *core.Table, name string) (*uniqueKey, error) {
	k := &uniqueKey{table: t, name: name}
	if name == t.Name+"_pkey" || name == "id" {
		return k, k.add("id")
	}
	if i := slices.IndexFunc(t.Keys, func(k core.Key) bool { return k.Name == name }); i >= 0 {
		k.nulls = t.Keys[i].Nulls
		return k, k.add(t.Keys[i].Columns...)
	}
	if c, ok := t.Column(name); ok && c.Unique {
		return k, k.add(name)
	}
	return nil, core.E("tables.key", core.Invalid, core.At{Table: t.Name}, fmt.Sprintf("%q is neither the primary key nor a key nor a unique column of the table", name))
}

func (k *uniqueKey) add(columns ...string) error {
	for _, name := range columns {
		c, err := k.table.Need(name)
		if err != nil {
			return err
		}
		k.columns = append(k.columns, c)
	}
	return nil
}

func (k *uniqueKey) has(column string) bool {
	return slices.ContainsFunc(k.columns, func(c *core.Column) bool { return c.Name == column })
}

// parse puts the values of the key into out, in their Go forms. A NULL that the key refuses is an error.
func (k *uniqueKey) parse(values, out core.Record) error {
	for _, c := range k.columns {
		v, err := c.Parse(values[c.Name])
		if err != nil {
			return err
		}
		if v == nil && k.nulls == core.NullsRefuse {
			return core.E("tables.parseKey", core.Invalid, core.At{Column: c.Name}, "a value is required: the column is part of the key "+k.name+", which takes no null")
		}
		out[c.Name] = v
	}
	return nil
}

// of returns what a record holds in the key as one text. ok is false when the record is like no other, whatever they hold.
func (k *uniqueKey) of(r core.Record) (text string, ok bool) {
	key, ok := k.appendTo(nil, r)
	return string(key), ok
}

// appendTo appends the text of [uniqueKey.of].
func (k *uniqueKey) appendTo(key []byte, r core.Record) ([]byte, bool) {
	for _, c := range k.columns {
		v := r[c.Name]
		if v == nil && k.nulls != core.NullsEqual {
			return nil, false
		}
		key = append(c.AppendJSON(key, v), 0)
	}
	return key, true
}

// appendValues is appendTo for values of columns, of which the key has some.
func (k *uniqueKey) appendValues(key []byte, columns []*core.Column, values []any) ([]byte, bool) {
	for _, c := range k.columns {
		v := values[slices.Index(columns, c)]
		if v == nil && k.nulls != core.NullsEqual {
			return nil, false
		}
		key = append(c.AppendJSON(key, v), 0)
	}
	return key, true
}

// is returns the condition that a record holds in the key what r does.
func (k *uniqueKey) is(r core.Record) And {
	all := make(And, len(k.columns))
	for i, c := range k.columns {
		all[i] = Compare{Column: c.Name, Op: Eq, Value: r[c.Name]}
		if r[c.Name] == nil {
			all[i] = Compare{Column: c.Name, Op: IsNull, Value: true}
		}
	}
	return all
}

// named returns the records that the rows of an insert name by the key that it is to find them by, each of which the caller
// may read.
func (tx *Tx) named(ctx context.Context, in Insert) ([]core.ID, error) {
	const op = "tables.named"
	t, _, err := tx.snap.decide(core.CallerFrom(ctx), in.Table, core.Read)
	if err != nil {
		return nil, err
	}
	key, err := keyOf(t, in.Find)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(in.Rows))
	var asked []Cond
	found := map[string]core.ID{}
	values := make(core.Record, len(key.columns))
	for i, r := range in.Rows {
		if err := key.parse(r, values); err != nil {
			return nil, core.E(op, core.At{Table: t.Name, Item: i + 1}, err)
		}
		var ok bool
		if texts[i], ok = key.of(values); !ok {
			continue
		}
		if _, again := found[texts[i]]; !again {
			found[texts[i]] = ""
			asked = append(asked, key.is(values))
		}
	}
	for part := range slices.Chunk(asked, maxOr) {
		records, err := tx.records(ctx, t.Name, core.Read, Or(part), false)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			id, _ := r["id"].(string)
			if text, ok := key.of(r); ok {
				found[text] = core.ID(id)
			}
		}
	}
	out := make([]core.ID, len(in.Rows))
	for i, text := range texts {
		if out[i] = found[text]; out[i] == "" {
			return nil, core.E(op, core.Invalid, core.At{Table: t.Name, Item: i + 1}, "there is no record with this key that you may read")
		}
	}
	return out, nil
}
