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
