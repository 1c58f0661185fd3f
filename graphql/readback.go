package graphql

import (
	"context"
	"errors"
	"slices"

	"colonnade/core"
	"colonnade/tables"
)

// readBack reads records that a write was about, as the caller may read them.
type readBack struct {
	store *tables.Store
	query tables.Query
}

func (w *write) readBack(f *selected, n int) (*readBack, error) {
	b := &readBack{store: w.store, query: tables.Query{Table: w.rows.table.Name}}
	if err := w.c.selectRecord(&b.query, w.rows, f); err != nil {
		return nil, err
	}
	one := b.query
	one.Form = tables.One
	w.c.rows = saturate(w.c.rows + rowsOf(&one, n))
	return b, nil
}

func (b *readBack) one(ctx context.Context, snap *tables.Snapshot, dst []byte, ids []core.ID) ([]byte, error) {
	q := b.query
	q.Where = tables.ByID(ids[0])
	return b.store.Query(ctx, snap, q, dst)
}

// list appends the records in the order of the ids. Statements read them by id, and in no more than a page.
func (b *readBack) list(ctx context.Context, snap *tables.Snapshot, dst []byte, ids []core.ID) (_ []byte, err error) {
	dst = append(dst, '[')
	for part := range slices.Chunk(ids, tables.MaxLimit) {
		start := len(dst)
		if slices.IsSorted(part) {
			dst, err = b.page(ctx, snap, dst, part)
		} else {
			dst, err = b.sorted(ctx, snap, dst, part)
		}
		if err != nil {
			return dst, err
		}
		dst = join(dst, start)
	}
	return append(dst, ']'), nil
}

// page appends the list of the records, which is in the order of their ids.
func (b *readBack) page(ctx context.Context, snap *tables.Snapshot, dst []byte, ids []core.ID) ([]byte, error) {
	q := b.query
	q.Form, q.Where, q.Limit = tables.List, tables.ByID(ids...), len(ids)
	return b.store.Query(ctx, snap, q, dst)
}

// join takes the brackets off the list that begins at start, and puts a comma before it where it follows another.
func join(dst []byte, start int) []byte {
	inner := dst[start+1 : len(dst)-1]
	if len(inner) == 0 {
		return dst[:start]
	}
	if dst[start-1] == '[' {
		return append(dst[:start], inner...)
	}
	dst[start] = ','
	return dst[:len(dst)-1]
}

// sorted appends the list of the records in the order of ids, which differs from theirs.
func (b *readBack) sorted(ctx context.Context, snap *tables.Snapshot, dst []byte, ids []core.ID) ([]byte, error) {
	byID := slices.Clone(ids)
	slices.Sort(byID)
	raw, err := b.page(ctx, snap, nil, byID)
	if err != nil {
		return dst, err
	}
	keys := readBack{b.store, tables.Query{Table: b.query.Table, Fields: []tables.Field{{As: "id", Column: "id"}}}}
	found, err := keys.page(ctx, snap, nil, byID)
	if err != nil {
		return dst, err
	}
	records, names := elements(raw), elements(found)
	if len(records) != len(names) {
		return dst, core.E("graphql.sorted", errors.New("two reads of the same records differ"))
	}
	at := make(map[string][]byte, len(names))
	for i, n := range names {
		at[string(n)] = records[i]
	}
	dst = append(dst, '[')
	for _, id := range ids {
		r, ok := at[`{"id":"`+string(id)+`"}`]
		if !ok {
			continue // out of the caller's reach
		}
		if dst[len(dst)-1] != '[' {
			dst = append(dst, ',')
		}
		dst = append(dst, r...)
	}
	return append(dst, ']'), nil
}

// elements cuts a JSON list into its elements, which are not decoded.
func elements(raw []byte) (out [][]byte) {
	depth, start := 0, 1
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			for i++; i < len(raw) && raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 && i > start {
				out = append(out, raw[start:i])
			}
		case ',':
			if depth == 1 {
				out = append(out, raw[start:i])
				start = i + 1
			}
		}
	}
	return out
}
