package graphql

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
	"colonnade/tables"
)

const (
	maxIntrospectionDepth = 20        // of fields: what tools send has 15
	maxIntrospectionBytes = 240 << 20 // of an answer: what tools ask of 600 tables with 28 columns each has 94 MB
	maxVariablesNesting   = 220       // of brackets in the variables: a JSON value has up to 200
	maxErrors             = 50        // after which validation stops
	maxWord               = 200       // bytes of a name or a number
)

// size is what was measured of a document.
type size struct {
	bytes, tokens, nesting, directives, aliases int // by the screen
	depth, nodes, roots                         int // by measure
	introspection                               int // the depth under __schema and __type
}

// check says what of a document is more than l allows; "" when nothing is.
func (s size) check(l core.Limits) string {
	for _, c := range []struct {
		what      string
		have, max int
	}{
		{"bytes", s.bytes, l.Bytes}, {"tokens", s.tokens, l.Tokens}, {"levels of brackets", s.nesting, l.Nesting}, {"directives", s.directives, l.Directives},
		{"aliases", s.aliases, l.Aliases}, {"levels of fields", s.depth, l.Depth}, {"levels of introspection", s.introspection, maxIntrospectionDepth},
		{"fields, fragments written out", s.nodes, l.Nodes}, {"root fields", s.roots, l.Roots},
	} {
		if c.have > c.max {
			return fmt.Sprintf("the document has more than %d %s, which is the most that you may send", c.max, c.what)
		}
	}
	return ""
}

// screen measures a text, in one pass and without recursion, before a parser may see it. It stops where a limit is
// passed. What is no GraphQL it leaves to the parser.
func screen(text string, l core.Limits) (size, string) {
	s := size{bytes: len(text)}
	if s.bytes > l.Bytes {
		return s, s.check(l)
	}
	open, parens := 0, 0
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',':
			i++
			continue
		case c == '#':
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				i++
			}
		case c == '"':
			i = afterString(text, i)
		case wordByte(c):
			start := i
			for i < len(text) && (wordByte(text[i]) || text[i] == '.') {
				i++
			}
			if i-start > maxWord {
				return s, fmt.Sprintf("the document has a name or a number of more than %d characters", maxWord)
			}
		default:
			i++
			switch c {
			case '{', '[', '(':
				open++
				s.nesting = max(s.nesting, open)
				if c == '(' {
					parens++
				}
			case '}', ']', ')':
				open--
				if c == ')' {
					parens--
				}
			case '@':
				s.directives++
			case ':':
				if parens == 0 {
					s.aliases++
				}
			case '.':
				for i < len(text) && text[i] == '.' {
					i++
				}
			}
		}
		s.tokens++
		if s.tokens > l.Tokens || s.nesting > l.Nesting || s.directives > l.Directives || s.aliases > l.Aliases {
			return s, s.check(l)
		}
	}
	return s, ""
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '+'
}

// afterString returns the place after the string that begins at i, or the end of the text.
func afterString(text string, i int) int {
	if len(text) >= i+3 && text[i:i+3] == `"""` {
		for i += 3; i < len(text); i++ {
			if text[i] == '\\' && len(text) >= i+4 && text[i+1:i+4] == `"""` {
				i += 3
			} else if text[i] == '"' && len(text) >= i+3 && text[i:i+3] == `"""` {
				return i + 3
			}
		}
		return i
	}
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n', '\r':
			return i
		}
	}
	return len(text)
}

// screenJSON says whether the brackets of a JSON text are nested too deep, before a decoder may see it.
func screenJSON(text []byte) bool {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if open++; open > maxVariablesNesting {
				return false
			}
		case '}', ']':
			open--
		}
	}
	return true
}

// measure adds to s how much there is of fields when every fragment is written out. It is fast and ends, whatever the
// fragments do: each is measured once, and one that contains itself counts for nothing, since validation refuses it.
func measure(doc *ast.QueryDocument, s *size) {
	m := &measurer{fragments: map[string]*ast.FragmentDefinition{}, known: map[string]*extent{}}
	for _, f := range doc.Fragments {
		m.fragments[f.Name] = f
	}
	for _, op := range doc.Operations {
		e := m.set(op.SelectionSet)
		s.nodes = saturate(s.nodes + e.nodes)
		s.depth, s.introspection = max(s.depth, e.depth), max(s.introspection, e.introspection)
		s.roots = max(s.roots, e.roots)
	}
	for _, f := range doc.Fragments { // those that nobody uses
		s.nodes = max(s.nodes, m.fragment(f.Name).nodes)
	}
}

type measurer struct {
	fragments map[string]*ast.FragmentDefinition
	known     map[string]*extent
}

// extent is the size of a selection set.
type extent struct{ nodes, depth, introspection, roots int }

// saturate keeps a product of doublings from passing the largest int.
func saturate(n int) int { return min(n, 1<<30) }

func (m *measurer) fragment(name string) *extent {
	if e, ok := m.known[name]; ok {
		return e
	}
	e := &extent{}
	m.known[name] = e // as it stays for a fragment within itself
	if f := m.fragments[name]; f != nil {
		*e = m.set(f.SelectionSet)
	}
	return e
}

func (m *measurer) set(set ast.SelectionSet) (out extent) {
	for _, s := range set {
		var e extent
		switch s := s.(type) {
		case *ast.Field:
			in := m.set(s.SelectionSet)
			e = extent{nodes: in.nodes + 1, depth: in.depth + 1, introspection: in.introspection, roots: 1}
			if s.Name == "__schema" || s.Name == "__type" {
				e.depth, e.introspection = 1, in.depth+1
			}
		case *ast.InlineFragment:
			e = m.set(s.SelectionSet)
		case *ast.FragmentSpread:
			e = *m.fragment(s.Name)
		}
		out.nodes, out.roots = saturate(out.nodes+e.nodes), saturate(out.roots+e.roots)
		out.depth, out.introspection = max(out.depth, e.depth), max(out.introspection, e.introspection)
	}
	return out
}

// rowsOf estimates how many records a query may touch when every list is as long as its limit allows.
func rowsOf(q *tables.Query, around int) int {
	n := around
	if q.Form == tables.List || q.Form == tables.Groups || q.Form == tables.Connection {
		switch {
		case q.Limit > 0:
			n = saturate(around * q.Limit)
		default:
			n = saturate(around * tables.DefaultLimit)
		}
	}
	total := n
	for i := range q.Several {
		of := q.Several[i]
		for _, r := range q.Refs {
			if r.Of == i {
				of.Limit++
			}
		}
		total = saturate(total + rowsOf(&of, 1))
	}
	fields := q.Records()
	for i := range fields {
		for j := range fields[i].Union {
			total = saturate(total + rowsOf(&fields[i].Union[j], n))
		}
		inner := fields[i].Query
		if inner == nil {
			continue
		}
		if q.Form == tables.Aggregate { // its nodes are as many as it has rows
			nodes := *inner
			nodes.Form, nodes.Limit = tables.List, q.Limit
			inner = &nodes
		}
		total = saturate(total + rowsOf(inner, n))
	}
	return total
}

// tooLate says that a request has run for as long as it may.
type tooLate int // seconds

func (t tooLate) Error() string {
	return "the request ran for " + core.Count(int64(t), "second") + ", which is the most that you may have, and was stopped: ask for less at once"
}
