package db

import (
	"strings"
	"unsafe"

	"colonnade/core"
)

// Builder writes one statement: its text and, in the order of the text, its arguments.
// The first error sticks and is returned when the statement is run.
type Builder struct {
	d    Dialect
	text []byte
	args []any
	once bool
	most int // bytes of text; 0 for any number
	err  error
}

// New returns an empty statement in the dialect d.
func New(d Dialect) *Builder { return &Builder{d: d, text: make([]byte, 0, 1024)} }

// Dialect returns the dialect of b.
func (b *Builder) Dialect() Dialect { return b.d }

// Write appends SQL text. It never holds a value, nor a name that is not a constant of the program.
func (b *Builder) Write(text ...string) *Builder {
	for _, t := range text {
		b.text = append(b.text, t...)
	}
	if b.most > 0 && len(b.text) > b.most {
		b.Fail(core.E("db.Write", core.Limit, "the request is too complex for the database"))
		b.text = b.text[:0]
	}
	return b
}

// AtMost has the statement fail with [core.Limit] when its text has more than n bytes.
func (b *Builder) AtMost(n int) *Builder {
	b.most = n
	return b
}

// Name appends a quoted name, its parts joined by dots. An empty first part is left out.
func (b *Builder) Name(parts ...string) *Builder {
	for i, p := range parts {
		if p == "" && i == 0 {
			continue
		}
		if i > 0 && parts[0] != "" || i > 1 {
			b.text = append(b.text, '.')
		}
		b.text = append(b.text, '"')
		b.text = append(b.text, strings.ReplaceAll(p, `"`, `""`)...)
		b.text = append(b.text, '"')
	}
	return b
}

// Names appends quoted names, separated by commas.
func (b *Builder) Names(names ...string) *Builder {
	for i, n := range names {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(n)
	}
	return b
}

// Arg appends a placeholder for v, a value that the driver takes as it is: a string, an int64, a bool or nil.
func (b *Builder) Arg(v any) *Builder {
	if id, ok := v.(core.ID); ok {
		v = string(id)
	}
	b.args = append(b.args, v)
	b.text = b.d.AppendPlaceholder(b.text, len(b.args))
	return b
}

// Value appends a placeholder for v, which is in the Go form of the column's kind.
func (b *Builder) Value(c *core.Column, v any) *Builder { return b.Arg(b.d.Bind(c, v)) }

// Literal appends s as a quoted string. It is for the keys of JSON objects, which cannot be bound.
func (b *Builder) Literal(s string) *Builder {
	b.text = append(b.text, '\'')
	b.text = append(b.text, strings.ReplaceAll(s, "'", "''")...)
	b.text = append(b.text, '\'')
	return b
}

// Mark returns the present end of the statement, for [Builder.Since].
func (b *Builder) Mark() int { return len(b.text) }

// Since returns the text written since the mark.
func (b *Builder) Since(mark int) string { return string(b.text[mark:]) }

// Once marks a statement that is good for one use: it holds the time at which it was written.
func (b *Builder) Once() { b.once = true }

// OnlyOnce reports whether the statement was marked by [Builder.Once].
func (b *Builder) OnlyOnce() bool { return b.once }

// With returns the statement with other arguments, as many and of the same kinds. It shares the text, to which nothing
// must be written any more.
func (b *Builder) With(args []any) *Builder {
	return &Builder{d: b.d, text: b.text, args: args, once: b.once, err: b.err}
}

// Fail keeps the first error.
func (b *Builder) Fail(err error) *Builder {
	if b.err == nil {
		b.err = err
	}
	return b
}

// Err returns the first error.
func (b *Builder) Err() error { return b.err }

// String returns the text, without a copy: what was written is never written over.
func (b *Builder) String() string { return unsafe.String(unsafe.SliceData(b.text), len(b.text)) }

// Args returns the arguments in order.
func (b *Builder) Args() []any { return b.args }
