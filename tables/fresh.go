package tables

import (
	"context"

	"colonnade/core"
)

// key names a record.
type key struct {
	table string
	id    string
}

// maxFresh is how many new records a unit of work keeps in memory.
const maxFresh = 20

// remember keeps the records that a batch created, and forgets those that it touched, and notes what it made
// stale.
func (tx *Tx) remember(w *writer) {
	tx.note(w.table, w.caller, w.batch, !w.later)
	for i := range w.batch {
		c := &w.batch[i]
		id, ok := c.record()["id"].(string)
		if !ok {
			continue
		}
		k := key{w.table.Name, id}
		switch {
		case c.op != core.Create:
			delete(tx.fresh, k)
		case len(w.batch) == 1 && len(tx.fresh) < maxFresh:
			if tx.fresh == nil {
				tx.fresh = map[key]core.Record{}
			}
			tx.fresh[k] = c.after
		}
	}
}

// readFresh answers a query for one new record from memory: what its caller may see of it is known, and the database would
// say the same. It reports whether it could.
func (tx *Tx) readFresh(ctx context.Context, q *Query, dst []byte) ([]byte, bool, error) {
	where, ok := q.Where.(Compare)
	if len(tx.fresh) == 0 || !ok || where.Column != "id" || where.Op != In || q.Form == Aggregate || len(q.Order) > 0 || q.Offset != 0 || !q.At.IsZero() {
		return dst, false, nil
	}
	ids, ok := where.Value.([]any)
	if !ok || len(ids) != 1 {
		return dst, false, nil
	}
	id, _ := ids[0].(string)
	r, ok := tx.fresh[key{q.Table, id}]
	if !ok {
		return dst, false, nil
	}
	p := &planner{snap: tx.snap, caller: core.CallerFrom(ctx)}
	n, err := p.node(q.Table, core.Read)
	if err != nil {
		return dst, false, err
	}
	if n.may.Rows != nil || n.witness != nil {
		return dst, false, nil
	}
	start := len(dst)
	if q.Form == List {
		dst = append(dst, '[')
	}
	for i := range q.Fields {
		f := &q.Fields[i]
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(core.AppendString(dst, f.As), ':')
		if f.Text != "" {
			dst = core.AppendString(dst, f.Text)
			continue
		}
		c, ok := n.table.Column(f.Column)
		if !ok || !tx.snap.ShowsStored(p.caller, n.table, c) || f.Group != nil {
			return dst[:start], false, nil
		}
		visible, guard := n.may.Column(f.Column)
		mask, _ := n.may.Mask(f.Column)
		if guard != nil || mask != nil {
			return dst[:start], false, nil
		}
		if !visible {
			dst = append(dst, "null"...)
			continue
		}
		dst = c.AppendJSON(dst, r[c.Name])
	}
	if len(q.Fields) == 0 {
		return dst[:start], false, nil
	}
	dst = append(dst, '}')
	if q.Form == List {
		dst = append(dst, ']')
	}
	return dst, true, nil
}
