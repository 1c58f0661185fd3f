package core

// Moves says what the tables and columns of one schema are called in another, for those who keep names: roles, flows.
// What is dropped is called by [DroppedName] meanwhile, so that nothing else can take its place.
type Moves struct {
	Tables  map[string]string            // those that have another name, by the old one; "" when nothing is left
	Columns map[string]map[string]string // by the old name of the table, and the old one of the column
}

// Table returns what the table is called.
func (m Moves) Table(name string) string {
	if to, ok := m.Tables[name]; ok {
		return to
	}
	return name
}

// Column returns what the column of the table, by its old name, is called.
func (m Moves) Column(table, name string) string {
	if to, ok := m.Columns[table][name]; ok {
		return to
	}
	return name
}

// Renamed returns the columns of the table, by its old name, that are there under another name.
func (m Moves) Renamed(table string) map[string]string {
	out := map[string]string{}
	for from, to := range m.Columns[table] {
		if to != "" && !IsDroppedName(from) && !IsDroppedName(to) {
			out[from] = to
		}
	}
	return out
}

const droppedPrefix = "dropped:"

// DroppedName is what stands for a dropped table or column, by its physical name. No name begins like it.
func DroppedName(physical string) string { return droppedPrefix + physical }

// IsDroppedName reports whether the name is one of [DroppedName].
func IsDroppedName(name string) bool {
	return len(name) > len(droppedPrefix) && name[:len(droppedPrefix)] == droppedPrefix
}

// Moves compares s with the schema that it becomes.
func (s *Schema) Moves(to *Schema) Moves {
	m := Moves{Tables: map[string]string{}, Columns: map[string]map[string]string{}}
	now := to.tableNames()
	for physical, name := range s.tableNames() {
		if next := now[physical]; next != name {
			m.Tables[name] = next
		}
		was, is := s.at(physical), to.at(physical)
		if was == nil || is == nil {
			continue
		}
		columns := map[string]string{}
		next := is.columnNames()
		replaced := was.replaced()
		for column, name := range was.columnNames() {
			if next[column] != name && !replaced[column] {
				columns[name] = next[column]
			}
		}
		if len(columns) > 0 {
			m.Columns[name] = columns
		}
	}
	return m
}

// tableNames returns what the tables are called, by their physical names.
func (s *Schema) tableNames() map[string]string {
	out := make(map[string]string, len(s.stored)+len(s.dropped))
	for physical, t := range s.stored {
		out[physical] = t.Name
	}
	for _, t := range s.dropped {
		if !t.Purged {
			out[t.SQL()] = DroppedName(t.SQL())
		}
	}
	return out
}

// at returns the table, dropped or not.
func (s *Schema) at(physical string) *Table {
	if t, ok := s.stored[physical]; ok {
		return t
	}
	for _, t := range s.dropped {
		if t.SQL() == physical {
			return t
		}
	}
	return nil
}

// columnNames returns what the columns are called, by their physical names. A column of another kind has the name of
// the one whose place it took: what is said of the one holds for the other.
func (t *Table) columnNames() map[string]string {
	out := make(map[string]string, len(t.Columns))
	for i := range t.Columns {
		out[t.Columns[i].SQL()] = t.Columns[i].Name
	}
	for _, x := range t.Dropped {
		if x.Column != nil {
			out[x.Column.SQL()] = DroppedName(x.Column.SQL())
		}
	}
	for range t.Dropped { // a place may have been taken several times
		for _, x := range t.Dropped {
			if x.Column != nil && x.By != "" {
				out[x.Column.SQL()] = out[x.By]
			}
		}
	}
	return out
}

// replaced returns the physical names of the columns whose place another took.
func (t *Table) replaced() map[string]bool {
	out := map[string]bool{}
	for _, x := range t.Dropped {
		if x.Column != nil && x.By != "" {
			out[x.Column.SQL()] = true
		}
	}
	return out
}
