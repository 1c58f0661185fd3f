package tables

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tidwall/gjson"

	"colonnade/core"
	"colonnade/core/db"
)

// A cursor is a place in a list: the values by which the list is sorted, as its reader sees them, in a record that was there. It is
// sealed with AES-256-GCM, and bound to its reader, to the table and to the order. The nonce is made of what is sealed, so that a
// place has one cursor; it tells of two cursors whether they are of one place, and nothing else.
type pageKey struct {
	cipher.AEAD
	nonce []byte // the key that nonces are made with
}

func newPageKey(raw []byte) (*pageKey, error) {
	part := func(name string) []byte {
		h := hmac.New(sha256.New, raw)
		_, _ = h.Write([]byte("colonnade page 1 " + name))
		return h.Sum(nil)
	}
	block, err := aes.NewCipher(part("cipher"))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &pageKey{aead, part("nonce")}, err
}

// seal appends the cursor of a place in the list that about tells of.
func (k *pageKey) seal(dst []byte, about string, place []byte) []byte {
	h := hmac.New(sha256.New, k.nonce)
	_, _ = h.Write([]byte(strconv.Itoa(len(about)) + ":" + about))
	_, _ = h.Write(place)
	nonce := h.Sum(nil)[:k.NonceSize()]
	return base64.RawURLEncoding.AppendEncode(dst, k.Seal(nonce, nonce, place, []byte(about)))
}

func (k *pageKey) open(about, cursor string) (place []byte, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < k.NonceSize() {
		return nil, false
	}
	place, err = k.Open(nil, raw[:k.NonceSize()], raw[k.NonceSize():], []byte(about))
	return place, err == nil
}

// pages has the key of cursors, once it is read.
type pages struct{ key atomic.Pointer[pageKey] }

// pageKey returns the key of the cursors of this database.
func (s *Store) pageKey(ctx context.Context) (*pageKey, error) {
	if k := s.pages.key.Load(); k != nil {
		return k, nil
	}
	var raw []byte
	b := db.New(s.db.Dialect).Write(`SELECT value FROM "_meta" WHERE key = 'cursor_key'`)
	err := s.conn(ctx).Query(ctx, b, func(scan func(...any) error) error {
		var text string
		err := scan(&text)
		if err == nil {
			raw, err = hex.DecodeString(text)
		}
		return err
	})
	if err != nil {
		return nil, core.E("tables.pageKey", err)
	}
	k, err := newPageKey(raw)
	if err != nil {
		return nil, core.E("tables.pageKey", err)
	}
	s.pages.key.Store(k)
	return k, nil
}

// about says of which list a cursor is.
func (r *rows) about() string {
	parts := []string{string(r.p.caller.User), r.table.SQL()}
	for _, c := range r.distinct {
		parts = append(parts, c.column.Name)
	}
	parts = append(parts, "")
	for _, t := range r.terms {
		parts = append(parts, t.name)
	}
	var out strings.Builder
	for _, part := range parts {
		out.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	return out.String()
}

// bound plans what the cursors of the query ask of a row.
func (r *rows) bound() error {
	for _, c := range []struct {
		name, cursor string
		reverse      bool
	}{{"after", r.query.After, false}, {"before", r.query.Before, true}} {
		if c.cursor == "" {
			continue
		}
		place, err := r.place(c.cursor)
		if err != nil {
			return core.E("tables.bound", core.Invalid, core.At{Table: r.table.Name, Column: c.name}, err)
		}
		r.within = append(r.within, beyond(r.terms, place, c.reverse))
	}
	return nil
}

// errCursor says that a cursor is of no use.
const errCursor = "this is no cursor of yours in this list: take it from _cursor of a record in a list of the same table with the same order_by and distinct_on"

// place returns the values at the place of a cursor, one for each term.
func (r *rows) place(cursor string) ([]any, error) {
	if r.p.pageKey == nil {
		return nil, core.E("tables.place", core.Invalid, "these records have no cursors")
	}
	key, err := r.p.pageKey()
	if err != nil {
		return nil, err
	}
	raw, ok := key.open(r.about(), cursor)
	if !ok {
		return nil, core.E("tables.place", core.Invalid, errCursor)
	}
	out := make([]any, len(r.terms))
	for i, t := range r.terms {
		if out[i], err = fromJSON(t.column, gjson.GetBytes(raw, "k"+strconv.Itoa(i))); err != nil {
			return nil, core.E("tables.place", core.Invalid, errCursor, err)
		}
	}
	return out, nil
}

// beyond returns the condition that a row comes behind the place, or in front of it. Databases find such rows by an index over the
// terms: the first one is bounded by itself, and terms of one direction are compared as one row.
func beyond(terms []*term, place []any, reverse bool) writeFunc {
	if len(terms) > 1 && oneWay(terms) {
		return func(b *db.Builder) {
			b.Once()
			row(b, len(terms), func(i int) { terms[i].operand(b) })
			b.Write(terms[0].sign(reverse))
			row(b, len(terms), func(i int) { b.Value(terms[i].column, place[i]) })
		}
	}
	return func(b *db.Builder) {
		b.Once()
		b.Write("(")
		for i := range terms {
			if i > 0 {
				b.Write(" OR ")
			}
			b.Write("(")
			for j, t := range terms[:i] {
				t.equals(b, place[j])
				b.Write(" AND ")
			}
			terms[i].passes(b, place[i], reverse)
			b.Write(")")
		}
		b.Write(")")
		if t := terms[0]; len(terms) > 1 && t.never {
			b.Write(" AND ")
			t.operand(b)
			b.Write(strings.TrimRight(t.sign(reverse), " "), "= ").Value(t.column, place[0])
		}
	}
}

// oneWay reports whether all terms are columns as they are, without NULL, in one direction.
func oneWay(terms []*term) bool {
	for _, t := range terms {
		if !t.plain || !t.never || t.desc != terms[0].desc {
			return false
		}
	}
	return true
}

func row(b *db.Builder, n int, write func(i int)) {
	b.Write("(")
	for i := range n {
		if i > 0 {
			b.Write(", ")
		}
		write(i)
	}
	b.Write(")")
}

// sign is between a value behind another and that one.
func (t *term) sign(reverse bool) string {
	if t.desc != reverse {
		return " < "
	}
	return " > "
}

func (t *term) equals(b *db.Builder, v any) {
	t.operand(b)
	if v == nil {
		b.Write(" IS NULL")
		return
	}
	b.Write(" = ").Value(t.column, v)
}

// passes writes that the term is behind the value, as far as it is for it to say.
func (t *term) passes(b *db.Builder, v any, reverse bool) {
	nullsFirst := t.nullsFirst != reverse
	switch {
	case v == nil && nullsFirst:
		t.operand(b)
		b.Write(" IS NOT NULL")
	case v == nil:
		b.Write("FALSE")
	case nullsFirst || t.never:
		t.operand(b)
		b.Write(t.sign(reverse)).Value(t.column, v)
	default:
		b.Write("(")
		t.operand(b)
		b.Write(t.sign(reverse)).Value(t.column, v).Write(" OR ")
		t.operand(b)
		b.Write(" IS NULL)")
	}
}

// pageMark begins the keys of places in an answer, until they are sealed. Nobody outside knows it, so that no value can look like one.
var pageMark = "~" + string(core.NewID()) + "."

// fieldCursor plans the place of a record in its list.
func (p *planner) fieldCursor(n *node, f *Field, s *selection) {
	if n.list == nil {
		s.add(db.ShapeField{Key: f.As, JSON: true}, func(b *db.Builder) { b.Write("NULL") })
		return
	}
	place := &selection{shape: &db.Shape{}, from: func(*db.Builder) {}}
	for i, t := range n.list.terms {
		place.add(db.ShapeField{Key: "k" + strconv.Itoa(i), Kind: t.column.Kind}, t.value)
	}
	s.add(db.ShapeField{Key: pageMark + strconv.Itoa(len(p.lists)) + "." + f.As, JSON: true}, place.nest)
	p.lists = append(p.lists, n.list.about())
}

// sealed seals the places in the answer that begins at start. lists tells of which lists they are.
func (s *Store) sealed(ctx context.Context, lists []string, answer []byte, start int) ([]byte, error) {
	if len(lists) == 0 {
		return answer, nil
	}
	key, err := s.pageKey(ctx)
	if err != nil {
		return answer, err
	}
	begin := []byte(`"` + pageMark)
	rest := bytes.Clone(answer[start:]) // a cursor is longer than its place may be
	out := answer[:start]
	for {
		before, after, found := bytes.Cut(rest, begin)
		out = append(out, before...)
		if !found {
			return out, nil
		}
		number, after, _ := bytes.Cut(after, []byte("."))
		name, after, _ := bytes.Cut(after, []byte(`":`))
		i, _ := strconv.Atoi(string(number))
		end := objectEnd(after)
		out = append(append(append(out, '"'), name...), `":"`...)
		out = append(key.seal(out, lists[i], after[:end]), '"')
		rest = after[end:]
	}
}

// objectEnd returns where the JSON object ends that b begins with, in which there is none.
func objectEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '}':
			return i + 1
		}
	}
	return len(b)
}
