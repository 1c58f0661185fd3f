package db

import "colonnade/core"

// Shape is the form of a JSON answer: one object or a list of them, with fields in order.
type Shape struct {
	Many   bool
	Fields []ShapeField
	Bare   bool // one field, and its values stand without an object around them
	Brief  bool // one row by its key: its statement ends before anybody could give up waiting, and need not be watched

	frame *Frame // kept by Keep
}

// Keep makes the frame of a shape that is there for many answers. The shape must not change any more.
func (s *Shape) Keep() { s.frame = newFrame(s) }

// Frame returns the frame of one object of the shape.
func (s *Shape) Frame() *Frame {
	if s.frame != nil {
		return s.frame
	}
	return newFrame(s)
}

// ShapeField is one field of an answer.
type ShapeField struct {
	Key  string
	Kind core.Kind // of a value
	JSON bool      // the value is JSON already: a nested shape
	Set  bool      // the value is never NULL
	Text string    // when not empty the field is this constant, and no value is written
}

// Values writes the values of the shape as columns with names, constants left out, and reports whether there are any.
func (s *Shape) Values(b *Builder, value func(i int), as func(i int) string) bool {
	some := false
	for i := range s.Fields {
		if s.Fields[i].Text != "" {
			continue
		}
		if some {
			b.Write(", ")
		}
		some = true
		value(i)
		b.Write(" AS ").Name(as(i))
	}
	return some
}

// Frame is what an answer has beside its values: keys, constants and punctuation. It is for the dialects whose answers travel
// as rows.
type Frame struct {
	text   []byte
	before []int // the end, in text, of what stands before each value
	kinds  []core.Kind
}

func newFrame(s *Shape) *Frame {
	n := len(s.Fields)
	f := &Frame{text: make([]byte, 0, 24*n), before: make([]int, 0, n), kinds: make([]core.Kind, 0, n)}
	if !s.Bare {
		f.text = append(f.text, '{')
	}
	for i := range s.Fields {
		field := &s.Fields[i]
		if i > 0 {
			f.text = append(f.text, ',')
		}
		if !s.Bare {
			f.text = append(core.AppendString(f.text, field.Key), ':')
		}
		if field.Text != "" {
			f.text = core.AppendString(f.text, field.Text)
			continue
		}
		f.before = append(f.before, len(f.text))
		kind := field.Kind
		if field.JSON {
			kind = core.JSON
		}
		f.kinds = append(f.kinds, kind)
	}
	if !s.Bare {
		f.text = append(f.text, '}')
	}
	return f
}

// Values is the number of values between the parts of the frame.
func (f *Frame) Values() int { return len(f.before) }

// Kinds returns the kinds of the values, [core.JSON] for nested ones. The slice is shared: do not change it.
func (f *Frame) Kinds() []core.Kind { return f.kinds }

// Before returns what stands before the i-th value; with i = Values, what stands after the last.
func (f *Frame) Before(i int) []byte {
	from, to := 0, len(f.text)
	if i > 0 {
		from = f.before[i-1]
	}
	if i < len(f.before) {
		to = f.before[i]
	}
	return f.text[from:to]
}
