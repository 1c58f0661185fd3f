package tables

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
)

// reach is the records of a table that a caller reaches with a privilege, and that meet a condition.
type reach struct {
	*node
	read  *node // the same row as the caller may read it; nil where that is no less
	where writeFunc
	any   bool // in any order, where nothing is locked
}

// reach plans the search for records. Without a privilege every record is in reach. Who changes records by a condition
// must be able to read them: otherwise the number of those that were changed would tell what they hold.
func (tx *Tx) reach(ctx context.Context, table string, priv core.Op, where Cond) (r *reach, err error) {
	caller := core.CallerFrom(ctx)
	if priv == "" {
		caller, priv = core.System("tables"), core.Read
	}
	return (&planner{snap: tx.snap, caller: caller}).reach(table, priv, where)
}

func (p *planner) reach(table string, priv core.Op, where Cond) (r *reach, err error) {
	r = &reach{}
	if r.node, err = p.node(table, priv); err != nil {
		return nil, err
	}
	named := r.node
	if priv != core.Read {
		if r.read, err = p.node(table, core.Read); err != nil {
			return nil, core.E("tables.reach", err, fmt.Sprintf("to %s records you need the right to read them", priv))
		}
		r.read.alias = r.alias
		named = r.read
	}
	r.where, err = named.where(where)
	return r, err
}

// from writes everything from FROM on.
func (r *reach) from(b *db.Builder) {
	b.Write(" FROM ")
	r.node.from(b)
	b.Write(" WHERE TRUE")
	r.scope(b)
	if r.read != nil && r.read.may.Rows != r.may.Rows {
		r.read.scope(b)
	}
	if r.where != nil {
		b.Write(" AND ")
		r.where(b)
	}
	if !r.any || b.Dialect().Lock() != "" {
		b.Write(" ORDER BY ").Name(r.alias, "id") // one order of locking for all
	}
}

// records reads whole records, and locks them when asked.
func (tx *Tx) records(ctx context.Context, table string, priv core.Op, where Cond, lock bool) ([]core.Record, error) {
	r, err := tx.reach(ctx, table, priv, where)
	if err != nil {
		return nil, err
	}
	return tx.read(ctx, r, r.table.Stored, tx.lockIf(lock))
}

// recordParts is records for any number of them: all are read and locked by one statement, and n counts them, but only batchRows at a
// time are in the Go form, which takes ten times the memory of what was read.
func (tx *Tx) recordParts(ctx context.Context, table string, priv core.Op, where Cond, lock bool) (parts iter.Seq2[[]core.Record, error], n int, err error) {
	r, err := tx.reach(ctx, table, priv, where)
	if err != nil {
		return nil, 0, err
	}
	raw, err := tx.fetch(ctx, r, r.table.Stored, tx.lockIf(lock), nil)
	if err != nil {
		return nil, 0, err
	}
	var objects []string
	gjson.ParseBytes(raw).ForEach(func(_, object gjson.Result) bool {
		objects = append(objects, object.Raw)
		return true
	})
	return func(yield func([]core.Record, error) bool) {
		for part := range slices.Chunk(objects, batchRows) {
			if !yield(decode(r.table, []byte("["+strings.Join(part, ",")+"]"))) {
				return
			}
		}
	}, len(objects), nil
}

// lockIf is [db.Dialect.Lock] where records are to be locked.
func (tx *Tx) lockIf(lock bool) string {
	if lock {
		return tx.db.Lock()
	}
	return ""
}

// read reads columns of the records in reach; lock is what the statement ends with.
func (tx *Tx) read(ctx context.Context, r *reach, columns iter.Seq[*core.Column], lock string) ([]core.Record, error) {
	raw, err := tx.fetch(ctx, r, columns, lock, nil)
	if err != nil {
		return nil, err
	}
	return decode(r.table, raw)
}

// fetch appends the records that read returns to dst, as a list of JSON for decode.
func (tx *Tx) fetch(ctx context.Context, r *reach, columns iter.Seq[*core.Column], lock string, dst []byte) ([]byte, error) {
	if lock != "" {
		if err := tx.lockTreesOf(ctx, r); err != nil {
			return dst, err
		}
	}
	s := &selection{shape: &db.Shape{Many: true}}
	for c := range columns {
		s.add(db.ShapeField{Key: c.Name, Kind: c.Kind}, func(b *db.Builder) { b.Name(r.alias, c.SQL()) })
	}
	s.from = func(b *db.Builder) {
		r.from(b)
		b.Write(lock)
	}
	b := db.New(tx.db.Dialect)
	s.answer(b)
	return tx.db.Answer(ctx, b, s.shape, dst)
}

// reachesAll reports whether every record is in the caller's reach, to be found by its id.
func (tx *Tx) reachesAll(ctx context.Context, table string, priv core.Op) bool {
	r, err := tx.reach(ctx, table, priv, And{})
	if err != nil || r.may.Rows != nil || r.read != nil && r.read.may.Rows != nil {
		return false
	}
	read := r.node
	if r.read != nil {
		read = r.read
	}
	visible, guard := read.may.Column("id")
	return visible && guard == nil
}

// ids returns the ids of records.
func (tx *Tx) ids(ctx context.Context, table string, priv core.Op, where Cond) ([]core.ID, error) {
	r, err := tx.reach(ctx, table, priv, where)
	if err != nil {
		return nil, err
	}
	b := db.New(tx.db.Dialect).Write("SELECT ").Name(r.alias, "id")
	r.from(b)
	return queryIDs(ctx, tx.db, b)
}

// queryIDs runs a query whose one column is ids.
func queryIDs(ctx context.Context, conn db.Conn, b *db.Builder) (out []core.ID, err error) {
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		out = append(out, id)
		return err
	})
	return out, err
}

// queryKeys is queryIDs for ids that become arguments.
func queryKeys(ctx context.Context, conn db.Conn, b *db.Builder) (out []any, err error) {
	err = conn.Query(ctx, b, func(scan func(...any) error) error {
		var id core.ID
		err := scan(&id)
		out = append(out, string(id))
		return err
	})
	return out, err
}

// decode reads a JSON list of records that a database wrote.
func decode(t *core.Table, raw []byte) (out []core.Record, err error) {
	var columns []*core.Column // of the fields of a record, which have one order in all of them
	var names []string
	gjson.ParseBytes(raw).ForEach(func(_, object gjson.Result) bool {
		r := make(core.Record, len(names))
		i := -1
		object.ForEach(func(key, value gjson.Result) bool {
			if i++; i == len(names) {
				names = append(names, key.Str)
				columns = append(columns, loose(t, key.Str))
			}
			if r[names[i]], err = fromJSON(columns[i], value); err != nil {
				err = core.E("tables.decode", core.At{Table: t.Name}, fmt.Errorf("the database holds what the column cannot: %w", err))
			}
			return err == nil
		})
		out = append(out, r)
		return err == nil
	})
	return out, err
}

// loose returns the column by which a value of the database is read; nil for what is no column.
func loose(t *core.Table, name string) *core.Column {
	if c, ok := t.Column(name); ok {
		return c.Loose()
	}
	return nil
}

// fromJSON returns the value in the Go form of the column; as JSON has it where there is none.
func fromJSON(c *core.Column, value gjson.Result) (v any, err error) {
	switch value.Type {
	case gjson.Null:
		return nil, nil
	case gjson.String:
		v = value.Str
	case gjson.Number:
		v = json.Number(value.Raw)
	case gjson.True, gjson.False:
		v = value.Bool()
	case gjson.JSON:
		if v, err = decodeJSON([]byte(value.Raw)); err != nil {
			return nil, err
		}
	}
	if c == nil {
		return v, nil
	}
	return c.Parse(v)
}

// normalize brings what the database holds into the Go forms, in place.
func normalize(t *core.Table, records ...core.Record) error {
	loose := make(map[string]*core.Column, len(t.Columns))
	for _, r := range records {
		for name, v := range r {
			c, ok := loose[name]
			if !ok {
				if of, ok := t.Column(name); ok {
					c = of.Loose()
				}
				loose[name] = c
			}
			if c == nil || v == nil {
				continue
			}
			p, err := c.Parse(v)
			if err != nil {
				return core.E("tables.decode", core.At{Table: t.Name}, fmt.Errorf("the database holds what the column cannot: %w", err))
			}
			r[name] = p
		}
	}
	return nil
}
