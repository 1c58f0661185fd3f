package tables

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/rules"
)

// witness notes what a query shows of a table whose reads are audited.
type witness struct {
	table   *core.Table
	columns map[string]bool // that the query names
	key     string          // of the id in the rows of the answer, where it stands last until it is taken out
}

// witnessKey begins the keys of witnesses. Nobody outside knows it, so that no value can look like one.
var witnessKey = "~" + string(core.NewID()) + "."

// watch returns the witness of the table; nil for a table whose reads are not audited.
func (p *planner) watch(t *core.Table) *witness {
	if !t.AuditReads || p.caller.IsSystem() {
		return nil
	}
	for _, w := range p.witnesses {
		if w.table == t {
			return w
		}
	}
	w := &witness{table: t, columns: map[string]bool{}, key: witnessKey + strconv.Itoa(len(p.witnesses))}
	p.witnesses = append(p.witnesses, w)
	return w
}

// watchRead has the witness of a table note what a derived column reads of it.
func (p *planner) watchRead(r rules.Read) {
	if t, err := p.snap.Schema.Table(r.Table); err == nil {
		if w := p.watch(t); w != nil {
			w.columns[r.Column] = true
		}
	}
}

// identify adds the id to the rows of a selection that a witness watches.
func (n *node) identify(s *selection) {
	if n.witness != nil && !s.shape.Bare && len(s.shape.Fields) > 0 {
		s.add(db.ShapeField{Key: n.witness.key, Kind: core.UUID}, func(b *db.Builder) { b.Name(n.alias, "id") })
	}
}

// witnessed takes the ids out of the answer that begins at start, and returns what the access log is to keep of it.
func witnessed(list []*witness, answer []byte, start int) ([]byte, []Access) {
	if len(list) == 0 {
		return answer, nil
	}
	answer, ids := takeIDs(answer, start)
	accesses := make([]Access, len(list))
	for i, w := range list {
		accesses[i] = Access{Kind: AccessRead, Table: w.table, Records: ids[w.key], Data: map[string]any{"columns": slices.Sorted(maps.Keys(w.columns))}}
	}
	return answer, accesses
}

// logShown keeps in the access log that records of a table that the witness watches, if there is one, were shown otherwise than
// by a query.
func (s *Store) logShown(ctx context.Context, w *witness, kind AccessKind, records []string) error {
	shown := w.shows(kind, records)
	if len(shown) == 0 {
		return nil
	}
	return s.LogAccess(ctx, shown...)
}

// shows is what the access log is to keep of records of the table that the witness watches; nothing without a witness.
func (w *witness) shows(kind AccessKind, records []string) []Access {
	if w == nil {
		return nil
	}
	return []Access{{Kind: kind, Table: w.table, Records: records, Data: map[string]any{"columns": slices.Sorted(maps.Keys(w.columns))}}}
}

// takeIDs removes the fields of witnesses from an answer, and returns their values by key. Each stands behind another field
// of its row.
func takeIDs(answer []byte, start int) ([]byte, map[string][]string) {
	ids := map[string][]string{}
	begin := []byte(`,"` + witnessKey)
	out, rest := answer[:start], answer[start:]
	for {
		i := bytes.Index(rest, begin)
		if i < 0 {
			return append(out, rest...), ids
		}
		out = append(out, rest[:i]...)
		key, after, _ := bytes.Cut(rest[i+len(`,"`):], []byte(`":`))
		rest = bytes.TrimPrefix(after, []byte("null"))
		if id, ok := bytes.CutPrefix(after, []byte(`"`)); ok {
			id, rest, _ = bytes.Cut(id, []byte(`"`))
			ids[string(key)] = append(ids[string(key)], string(id))
		}
	}
}
