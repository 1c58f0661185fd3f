package tables

import (
	"bytes"
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
)

// globalID writes what names the record of n among those of all tables: the physical name of the table, which no rename changes, and the id.
func (n *node) globalID(b *db.Builder) {
	b.Write("(").Literal(n.table.SQL() + ":").Write(" || ")
	b.Dialect().Text(b, core.UUID, func() { b.Name(n.alias, "id") })
	b.Write(")")
}

// ParseGlobalID takes the name of a record among those of all tables apart. It reports whether it can be one of a table of the schema, not
// whether there is such a record.
func ParseGlobalID(s *core.Schema, text string) (table string, id core.ID, ok bool) {
	physical, rest, _ := strings.Cut(text, ":")
	t, ok := s.Stored(physical)
	if !ok || t.Builtin {
		return "", "", false
	}
	v, err := (&core.Column{Name: "id", Kind: core.UUID}).Parse(rest)
	if err != nil {
		return "", "", false
	}
	canonical, ok := v.(string)
	return t.Name, core.ID(canonical), ok && canonical == rest
}

// nothing is the selection that answers null.
func nothing() *selection {
	s := &selection{shape: &db.Shape{Bare: true}, from: func(*db.Builder) {}}
	s.add(db.ShapeField{JSON: true}, func(b *db.Builder) { b.Write("NULL") })
	return s
}

// byRef plans [ByRef]: a list for each table, of which the answer is put together. Tables that the caller may not read have no records.
func (p *planner) byRef(q *Query) (*selection, error) {
	s := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	p.pages.refs = q.Refs
	for i, of := range q.Several {
		n, err := p.node(of.Table, core.Read)
		if err != nil {
			continue
		}
		var ids []core.ID
		for _, r := range q.Refs {
			if r.Of == i {
				ids = append(ids, r.ID)
			}
		}
		of.Form, of.Where, of.Limit = List, ByID(ids...), len(ids)
		of.Fields = append([]Field{{As: refKey, Column: "id"}}, of.Fields...)
		sub, err := p.selection(n, &of, nil)
		if err != nil {
			return nil, err
		}
		s.add(db.ShapeField{Key: strconv.Itoa(i), JSON: true, Set: true}, sub.nest)
	}
	if len(s.shape.Fields) == 0 {
		s.add(db.ShapeField{Key: "none", Kind: core.Integer}, func(b *db.Builder) { b.Write("0") })
	}
	return s, nil
}

// refKey is the key of the id in a row, the first of its keys.
const refKey = "i"

// refs writes the records in the order in which they were asked for.
func (w *pageWriter) refs(refs []Ref, raw []byte) {
	found := map[Ref][]byte{}
	eachMember(raw, func(key string, value []byte) {
		of, err := strconv.Atoi(key)
		if err != nil {
			return
		}
		eachItem(value, func(row []byte) {
			id, rest, _ := bytes.Cut(row[len(`{"":"`)+len(refKey):], []byte(`"`))
			found[Ref{of, core.ID(id)}] = bytes.TrimPrefix(rest, []byte(","))
		})
	})
	w.out = append(w.out, '[')
	for i, r := range refs {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		node, ok := found[r]
		if !ok {
			w.out = append(w.out, "null"...)
			continue
		}
		w.out = append(w.out, '{')
		w.copy(node) // with its brace at the end
	}
	w.out = append(w.out, ']')
}
