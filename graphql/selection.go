package graphql

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"colonnade/core"
)

const typename = "__typename"

// compiler turns one operation of a document into queries and writes. It holds what the operation was sent with.
type compiler struct {
	api    *api
	vars   variables
	limits core.Limits
	rows   int // that the queries so far may touch
	terms  int // of the conditions and sort orders so far
	steps  int // relations that the condition being compiled has followed
}

// selected is one field of an answer: what all mentions of its key ask for, merged.
type selected struct {
	key   string
	name  string
	field *ast.Field // the first mention
	sets  []ast.SelectionSet
	inner []*selected // once they are collected
}

// collect returns the fields that the selection sets ask for together, in the order of their first mention, without
// what @skip and @include leave out.
func (c *compiler) collect(sets []ast.SelectionSet) ([]*selected, error) {
	return c.collectOf("", sets)
}

// collectOf is collect for an object of a type that may be one of several: fragments of others are left out.
func (c *compiler) collectOf(typ string, sets []ast.SelectionSet) ([]*selected, error) {
	l := &collection{c: c, typ: typ}
	for _, set := range sets {
		if err := l.add(set); err != nil {
			return nil, err
		}
	}
	return l.fields, nil
}

type collection struct {
	c      *compiler
	typ    string // the type of the object; "" when there is but one
	fields []*selected
	byKey  map[string]*selected // once there are many
	spread []string
}

// manyFields is when looking through a list takes longer than a map.
const manyFields = 16

func (l *collection) add(set ast.SelectionSet) error {
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			ok, err := l.c.wanted(s.Directives)
			if err != nil {
				return err
			}
			if ok {
				l.field(s)
			}
		case *ast.InlineFragment:
			ok, err := l.c.wanted(s.Directives)
			if err != nil {
				return err
			}
			if ok && l.applies(s.TypeCondition) {
				if err := l.add(s.SelectionSet); err != nil {
					return err
				}
			}
		case *ast.FragmentSpread:
			ok, err := l.c.wanted(s.Directives)
			if err != nil {
				return err
			}
			if ok && l.applies(s.Definition.TypeCondition) && l.once(s.Name) {
				if err := l.add(s.Definition.SelectionSet); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// applies reports whether a fragment with the condition is about the object: about its type, or a union that it is in.
func (l *collection) applies(condition string) bool {
	if l.typ == "" || condition == "" || condition == l.typ {
		return true
	}
	return slices.ContainsFunc(l.c.api.ast.PossibleTypes[condition], func(d *ast.Definition) bool { return d.Name == l.typ })
}

func (l *collection) once(fragment string) bool {
	for _, s := range l.spread {
		if s == fragment {
			return false
		}
	}
	l.spread = append(l.spread, fragment)
	return true
}

func (l *collection) field(f *ast.Field) {
	s := l.find(f.Alias)
	if s == nil {
		s = &selected{key: f.Alias, name: f.Name, field: f}
		l.fields = append(l.fields, s)
		if l.byKey != nil {
			l.byKey[s.key] = s
		}
	}
	if len(f.SelectionSet) > 0 {
		s.sets = append(s.sets, f.SelectionSet)
	}
}

func (l *collection) find(key string) *selected {
	if l.byKey != nil {
		return l.byKey[key]
	}
	for _, s := range l.fields {
		if s.key == key {
			return s
		}
	}
	if len(l.fields) >= manyFields {
		l.byKey = make(map[string]*selected, 2*manyFields)
		for _, s := range l.fields {
			l.byKey[s.key] = s
		}
	}
	return nil
}

// wanted evaluates @skip and @include.
func (c *compiler) wanted(directives ast.DirectiveList) (bool, error) {
	for _, d := range directives {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		v, err := c.api.fromLiteral(ifType, d.Arguments.ForName("if").Value, c.vars)
		if err != nil {
			return false, within("@"+d.Name, err)
		}
		if v.(bool) == (d.Name == "skip") {
			return false, nil
		}
	}
	return true, nil
}

var ifType = required(scalars["Boolean"].Scalar)

// inField gives an error of an argument the place of its field.
func inField(f *selected, err error) error {
	if err == nil {
		return nil
	}
	var e *inputError
	if errors.As(err, &e) && strings.HasPrefix(e.path, ".selectionSet.") { // of a field within
		err = within("."+f.key, err)
	} else {
		err = within("."+f.key+".args", err)
	}
	if e != nil && e.pos == nil {
		e.pos = f.field.Position
	}
	return err
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }
