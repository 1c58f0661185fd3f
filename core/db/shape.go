package db

import "colonnade/core"

// Shape is the form of a JSON answer: one object or a list of them, with fields in order.
type Shape struct {
	Many   bool
	Fields []ShapeField
	Bare   bool // one field, and its values stand without an object around them
}

// ShapeField is one field of an answer.
type ShapeField struct {
	Key  string
	Kind core.Kind // of a value
	JSON bool      // the value is JSON already: a nested shape
	Text string    // when not empty the field is this constant, and no value is written
}

// Frame is what an answer has beside its values: keys, constants and punctuation. It is for the dialects whose answers travel
// as rows.
type Frame struct {
	text   []byte
	before []int // the end, in text, of what stands before each value
}

// NewFrame returns the frame of one object of the shape.
func NewFrame(s *Shape) *Frame {
	f := &Frame{text: make([]byte, 0, 24*len(s.Fields)), before: make([]int, 0, len(s.Fields))}
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
	}
	if !s.Bare {
		f.text = append(f.text, '}')
	}
	return f
}

// Values is the number of values between the parts of the frame.
func (f *Frame) Values() int { return len(f.before) }

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
