package tables

import (
	"cmp"
	"context"
	"slices"

	"colonnade/core"
	"colonnade/core/db"
)

// Capacity is how much a database holds.
type Capacity struct {
	Tables []TableCapacity // by name; dropped ones under the names that they had
	System []TableCapacity // the tables of Colonnade and of its work queue, by name; of these only the bytes are known
	Files  int64           // contents of files
	Stored int64           // bytes of them, beside the database
}

// TableCapacity is how much there is of a table.
type TableCapacity struct {
	Name       string
	Dropped    bool  // it can be brought back
	Rows       int64 // records
	Bytes      int64 // of the records
	IndexBytes int64
	Deleted    int64 // records that can be restored
	Versions   int64 // in the history
	History    int64 // bytes of these: the share of all bytes of the history that all versions have, so an estimate
}

// Capacity measures the database. It counts the rows and versions of all tables and, on SQLite, looks at every page: that takes
// seconds where there are millions of them, and holds up nobody.
func (s *Store) Capacity(ctx context.Context) (*Capacity, error) {
	const op = "tables.Capacity"
	snap := s.Snapshot()
	byName := map[string]*TableCapacity{}
	err := s.query(ctx, s.db.Sizes, func(scan func(...any) error) error {
		var t TableCapacity
		err := scan(&t.Name, &t.Bytes, &t.IndexBytes)
		byName[t.Name] = &t
		return err
	})
	if err == nil {
		err = s.countVersions(ctx, byName)
	}
	if err == nil {
		err = s.countRows(ctx, snap.Schema, byName)
	}
	out := &Capacity{}
	if err == nil {
		err = s.query(ctx, func(b *db.Builder) { b.Write(`SELECT count(*), coalesce(sum(size), 0) FROM "_blob"`) }, func(scan func(...any) error) error {
			return scan(&out.Files, &out.Stored)
		})
	}
	if err != nil {
		return nil, core.E(op, err)
	}
	out.sort(snap.Schema, byName)
	return out, nil
}

func (s *Store) query(ctx context.Context, write func(b *db.Builder), each func(scan func(...any) error) error) error {
	b := db.New(s.db.Dialect)
	write(b)
	return s.conn(ctx).Query(ctx, b, each)
}

// countVersions counts what the history has of each table, and gives each its share of the bytes.
func (s *Store) countVersions(ctx context.Context, byName map[string]*TableCapacity) error {
	all := int64(0)
	var of []*TableCapacity
	err := s.query(ctx, func(b *db.Builder) { b.Write(`SELECT table_name, count(*) FROM "_history" GROUP BY table_name`) }, func(scan func(...any) error) error {
		var name string
		var n int64
		if err := scan(&name, &n); err != nil {
			return err
		}
		all += n
		if t := byName[name]; t != nil {
			t.Versions = n
			of = append(of, t)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if h := byName["_history"]; h != nil {
		for _, t := range of {
			t.History = int64(float64(h.Bytes+h.IndexBytes) * float64(t.Versions) / float64(all))
		}
	}
	const gone = `SELECT h.table_name, count(*) FROM "_history" AS h WHERE h.op = 'delete' AND NOT EXISTS
 (SELECT 1 FROM "_history" AS n WHERE n.record_id = h.record_id AND n.version > h.version AND n.table_name = h.table_name) GROUP BY h.table_name`
	return s.query(ctx, func(b *db.Builder) { b.Write(gone) }, func(scan func(...any) error) error {
		var name string
		var n int64
		err := scan(&name, &n)
		if t := byName[name]; t != nil {
			t.Deleted = n
		}
		return err
	})
}

// maxCounted is how many tables one statement counts.
const maxCounted = 100

// countRows counts the records of the tables that are not of the system.
func (s *Store) countRows(ctx context.Context, schema *core.Schema, byName map[string]*TableCapacity) error {
	var names []string
	for name := range byName {
		if t, ok := schema.At(name); ok && !t.Builtin {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for part := range slices.Chunk(names, maxCounted) {
		err := s.query(ctx, func(b *db.Builder) {
			for i, name := range part {
				b.Write([]string{"SELECT ", " UNION ALL SELECT "}[min(i, 1)]).Literal(name).Write(", count(*) FROM ").Name(name)
			}
		}, func(scan func(...any) error) error {
			var name string
			var n int64
			err := scan(&name, &n)
			if t := byName[name]; t != nil {
				t.Rows = n
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sort gives tables the names that people know.
func (c *Capacity) sort(schema *core.Schema, byName map[string]*TableCapacity) {
	for name, t := range byName {
		of, ok := schema.At(name)
		if !ok || of.Builtin {
			c.System = append(c.System, *t)
			continue
		}
		t.Name, t.Dropped = of.Name, of.DroppedAt != nil
		c.Tables = append(c.Tables, *t)
	}
	for _, list := range [][]TableCapacity{c.Tables, c.System} {
		slices.SortFunc(list, func(a, b TableCapacity) int { return cmp.Compare(a.Name, b.Name) })
	}
}

func (s *Store) reportCapacity() core.Action {
	number := func(name, doc string) core.Column {
		return core.Column{Name: name, Kind: core.Integer, Required: true, Doc: doc}
	}
	bytes := []core.Column{required(text("name", "The table.")), number("bytes", "The bytes of the rows."), number("index_bytes", "The bytes of the indexes.")}
	return core.Action{
		Name: "report_capacity", Privilege: "define_tables",
		Doc: "Tells how much the database holds of each table. It counts rows and versions, and on SQLite looks at every page of the file: seconds, where there are millions of records.",
		Output: []core.Column{
			{Name: "tables", Kind: core.Object, List: true, Required: true, Doc: "The tables that were defined, with dropped ones that can be brought back.", Fields: append(slices.Clone(bytes),
				core.Column{Name: "dropped", Kind: core.Boolean, Required: true, Doc: "Whether the table was dropped."},
				number("rows", "The records."), number("deleted", "Deleted records that can be restored."), number("versions", "The versions in the history."),
				number("history_bytes", "The bytes of these versions: an estimate, their share of all that the history has."))},
			{Name: "system", Kind: core.Object, List: true, Required: true, Doc: "The tables of Colonnade: _history, _event and the others.", Fields: bytes},
			number("files", "The contents of files."), number("file_bytes", "The bytes of these, which are beside the database."),
		},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			c, err := s.Capacity(ctx)
			if err != nil {
				return nil, core.E("tables.report_capacity", err)
			}
			return c.record(), nil
		},
	}
}

func (c *Capacity) record() core.Record {
	tables, system := make([]any, len(c.Tables)), make([]any, len(c.System))
	for i, t := range c.Tables {
		tables[i] = core.Record{
			"name": t.Name, "dropped": t.Dropped, "rows": t.Rows, "bytes": t.Bytes, "index_bytes": t.IndexBytes,
			"deleted": t.Deleted, "versions": t.Versions, "history_bytes": t.History,
		}
	}
	for i, t := range c.System {
		system[i] = core.Record{"name": t.Name, "bytes": t.Bytes, "index_bytes": t.IndexBytes}
	}
	return core.Record{"tables": tables, "system": system, "files": c.Files, "file_bytes": c.Stored}
}
