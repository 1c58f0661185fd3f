package core

import "strconv"

// The name of a table or column is what people, rules and the API call it, and it can change. The physical name is what
// SQL and history call it: it is fixed when the thing is made, and never used again, so that a rename touches no row and
// an old history stays readable. See docs/decisions/010.

// SQL returns the name of the table in SQL and in history.
func (t *Table) SQL() string {
	if t.Physical != "" {
		return t.Physical
	}
	return t.Name
}

// SQL returns the name of the column in SQL and in history.
func (c *Column) SQL() string {
	if c.Physical != "" {
		return c.Physical
	}
	return c.Name
}

// Whole returns t with the columns that every table has, which a definition leaves out, as does a table that was dropped.
func (t *Table) Whole() *Table {
	if t.Builtin {
		return t
	}
	whole := t.complete()
	return &whole
}

// Kept returns every column that the database has of t, dropped ones included. The lookups among those, and of a table that
// was dropped, lead to physical names.
func (t *Table) Kept() []*Column {
	var out []*Column
	seen := map[string]bool{}
	add := func(c *Column) bool {
		if !seen[c.SQL()] {
			seen[c.SQL()] = true
			out = append(out, c)
		}
		return true
	}
	t.Whole().Stored(add)
	for _, x := range t.Dropped {
		if x.Column != nil && !x.Column.Virtual() {
			add(x.Column)
		}
	}
	if t.HadOwners {
		for _, c := range SystemColumns(UserOwned) {
			add(&c)
		}
	}
	return out
}

// maxPhysical is the length of a name in bytes that every database keeps whole.
const maxPhysical = 63

// physical returns a physical name for what is called name: the name itself, or when that is taken the name with a
// number. No name that people may give has two underscores.
func physical(name string, taken func(string) bool) string {
	for n := 2; taken(name); n++ {
		suffix := "__" + strconv.Itoa(n)
		if whole := name[:min(len(name), maxPhysical-len(suffix))] + suffix; !taken(whole) {
			return whole
		}
	}
	return name
}

// StoredWriter writes records of one table as JSON objects like [Table.AppendJSON], with the physical names as keys: the form of
// history. What several of them have in the system columns it makes once.
type StoredWriter struct{ columns []storedColumn }

type storedColumn struct {
	*Column
	key  string
	last any // of a system column: the value of the record before, and its JSON
	text []byte
}

// StoredWriter returns a writer of records of t.
func (t *Table) StoredWriter() *StoredWriter {
	w := &StoredWriter{columns: make([]storedColumn, 0, len(t.Columns))}
	for c := range t.Stored {
		w.columns = append(w.columns, storedColumn{Column: c, key: `"` + c.SQL() + `":`})
	}
	return w
}

// Append appends r.
func (w *StoredWriter) Append(b []byte, r Record) []byte {
	b = append(b, '{')
	start := len(b)
	for i := range w.columns {
		c := &w.columns[i]
		v, ok := r[c.Name]
		if !ok {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = c.append(append(b, c.key...), v)
	}
	return append(b, '}')
}

// AppendValues appends a record whose values are those of the stored columns, in their order.
func (w *StoredWriter) AppendValues(b []byte, values []any) []byte {
	for i := range w.columns {
		c := &w.columns[i]
		b = append(b, "{,"[min(i, 1)])
		b = c.append(append(b, c.key...), values[i])
	}
	return append(b, '}')
}

func (c *storedColumn) append(b []byte, v any) []byte {
	if !c.System {
		return c.AppendJSON(b, v)
	}
	if c.text == nil || v != c.last {
		c.last, c.text = v, c.AppendJSON(c.text[:0], v)
	}
	return append(b, c.text...)
}

// FromStored returns what history holds under physical names as a record: the values as they are, under the names that
// the columns have now. What belongs to no column any more is left out.
func (t *Table) FromStored(stored map[string]any) Record {
	out := make(Record, len(stored))
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Virtual() {
			continue
		}
		if v, ok := stored[c.SQL()]; ok {
			out[c.Name] = v
		} else if v, ok := t.before(c, stored); ok {
			out[c.Name] = v
		}
	}
	return out
}

// before returns what the column of another kind held whose place c took, converted; NULL when it cannot be.
func (t *Table) before(c *Column, stored map[string]any) (any, bool) {
	for i := range t.Dropped {
		x := &t.Dropped[i]
		if x.Column == nil || x.By != c.SQL() {
			continue
		}
		raw, ok := stored[x.Column.SQL()]
		if !ok {
			continue
		}
		v, err := x.Column.Loose().Parse(raw)
		if err == nil {
			v, err = Convert(x.Column.Loose(), c, v)
		}
		if err != nil {
			v = nil
		}
		return v, true
	}
	return nil, false
}

// Loose returns the column as it reads what was written when its limits were others.
func (c *Column) Loose() *Column {
	out := c.Unlimited()
	out.Format, out.Options = "", nil
	if c.Kind == Choice || c.Kind == Status {
		out.Kind = Text // a value that was an option when it was written
	}
	return out
}
