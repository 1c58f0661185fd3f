package tables

import (
	"bytes"
	"strconv"

	"colonnade/core"
)

// connectionMark follows [pageMark] in the key of a connection within a record.
const connectionMark = "c"

// paging is what an answer has that is put together of the rows that its statement gave.
type paging struct {
	list  []*connection
	whole bool  // the answer itself is the first connection
	refs  []Ref // of [ByRef]
}

// paged puts the connections in the answer that begins at start together, and records by reference in their order. Places stay places: see
// [Store.sealed].
func (p *paging) paged(answer []byte, start int) []byte {
	if len(p.list) == 0 && p.refs == nil {
		return answer
	}
	raw := bytes.Clone(answer[start:])
	w := pageWriter{list: p.list, out: answer[:start], begin: []byte(`"` + pageMark + connectionMark)}
	switch {
	case p.refs != nil:
		w.refs(p.refs, raw)
	case p.whole:
		w.connection(p.list[0], raw)
	default:
		w.copy(raw)
	}
	return w.out
}

type pageWriter struct {
	list  []*connection
	out   []byte
	begin []byte
}

// copy writes a part of the answer with the connections in it.
func (w *pageWriter) copy(raw []byte) {
	for {
		before, after, found := bytes.Cut(raw, w.begin)
		w.out = append(w.out, before...)
		if !found {
			return
		}
		number, after, _ := bytes.Cut(after, []byte("."))
		name, after, _ := bytes.Cut(after, []byte(`":`))
		i, _ := strconv.Atoi(string(number))
		w.out = append(append(append(w.out, '"'), name...), `":`...)
		end := valueEnd(after)
		w.connection(w.list[i], after[:end])
		raw = after[end:]
	}
}

// page is what the statement gave of a connection.
type page struct {
	rows          []pageLine
	total         []byte
	behind, front bool
	more          bool // there was one row more
}

// pageLine is a row: its place with the mark of the list, its records, and what a witness notes of it.
type pageLine struct {
	mark, place []byte
	nodes       [][]byte
	rest        []byte
}

func (w *pageWriter) connection(c *connection, raw []byte) {
	p := page{}
	if c.alone {
		p.rows = c.lines(raw)
	} else {
		eachMember(raw, func(key string, value []byte) {
			switch key {
			case "r":
				p.rows = c.lines(value)
			case "t":
				p.total = value
			case "b":
				p.behind = string(value) == "true"
			case "f":
				p.front = string(value) == "true"
			}
		})
	}
	if p.more = len(p.rows) > c.keep; p.more && c.last {
		p.rows = p.rows[len(p.rows)-c.keep:]
	} else if p.more {
		p.rows = p.rows[:c.keep]
	}
	w.fields(c, c.fields, &p, nil, 0)
}

// lines takes the rows apart.
func (c *connection) lines(raw []byte) (out []pageLine) {
	eachItem(raw, func(row []byte) {
		var l pageLine
		i := len(`{"`)
		end := i + bytes.IndexByte(row[i:], '"')
		l.mark = row[i : end-len(placeKey)]
		end += len(`":`)
		l.place = row[end : end+objectEnd(row[end:])]
		l.rest = row[end+len(l.place) : len(row)-1] // with its comma
		if c.nodes == 1 {
			l.nodes = [][]byte{bytes.TrimPrefix(l.rest, []byte(","))}
			l.rest = nil
		}
		if c.nodes > 1 {
			for i := range c.nodes {
				l.rest = l.rest[len(`,"":`)+len(nodeKey(i)):]
				end := valueEnd(l.rest)
				l.nodes = append(l.nodes, l.rest[1:end-1])
				l.rest = l.rest[end:]
			}
		}
		out = append(out, l)
	})
	return out
}

// fields writes an object of a connection; of an edge, line is its row, and node which of the records of that is its first.
func (w *pageWriter) fields(c *connection, fields []Field, p *page, line *pageLine, node int) {
	w.out = append(w.out, '{')
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			w.out = append(w.out, ',')
		}
		switch f.Page {
		case PageCursor:
			w.cursor(f.As, line)
			continue
		case PageStart, PageEnd:
			var at *pageLine
			if len(p.rows) > 0 && f.Page == PageStart {
				at = &p.rows[0]
			} else if len(p.rows) > 0 {
				at = &p.rows[len(p.rows)-1]
			}
			w.cursor(f.As, at)
			continue
		}
		w.out = append(core.AppendString(w.out, f.As), ':')
		switch f.Page {
		case PageEdges:
			w.edges(c, f.Group, p, len(nodesOf(fields[:i])))
		case PageInfo:
			w.fields(c, f.Group, p, nil, 0)
		case PageTotal:
			w.out = append(w.out, p.total...)
		case PageNode:
			w.out = append(w.out, '{')
			w.copy(line.nodes[node])
			w.out = append(w.out, '}')
			node++
		case PageNext:
			w.out = strconv.AppendBool(w.out, p.behind || p.more && !c.last)
		case PagePrevious:
			w.out = strconv.AppendBool(w.out, p.front || p.more && c.last)
		default:
			w.out = core.AppendString(w.out, f.Text)
		}
	}
	if line != nil {
		w.out = append(w.out, line.rest...)
	}
	w.out = append(w.out, '}')
}

func (w *pageWriter) edges(c *connection, fields []Field, p *page, node int) {
	w.out = append(w.out, '[')
	for i := range p.rows {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.fields(c, fields, p, &p.rows[i], node)
	}
	w.out = append(w.out, ']')
}

// cursor writes a cursor that is yet to be sealed; null without a row.
func (w *pageWriter) cursor(as string, at *pageLine) {
	if at == nil {
		w.out = append(core.AppendString(w.out, as), `:null`...)
		return
	}
	w.out = append(append(append(w.out, '"'), at.mark...), as...)
	w.out = append(append(w.out, `":`...), at.place...)
}

// eachItem calls one for each item of a JSON list without white space.
func eachItem(raw []byte, one func(item []byte)) {
	for raw = raw[1:]; len(raw) > 1; {
		end := valueEnd(raw)
		one(raw[:end])
		raw = raw[end:]
		if raw[0] == ',' {
			raw = raw[1:]
		}
	}
}

// eachMember calls one for each member of a JSON object without white space, whose keys need no escapes.
func eachMember(raw []byte, one func(key string, value []byte)) {
	for raw = raw[1:]; len(raw) > 1; {
		key, after, _ := bytes.Cut(raw[1:], []byte(`":`))
		end := valueEnd(after)
		one(string(key), after[:end])
		raw = bytes.TrimPrefix(after[end:], []byte(","))
	}
}

// valueEnd returns where the JSON value ends that b begins with.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}
