package tables

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"colonnade/core"
)

// Edit changes a part of a JSON value, as the operators of PostgreSQL's jsonb do.
type Edit struct {
	Column string
	Op     EditOp
	Value  any // Append, Prepend: JSON; DeleteKey: a string; DeleteElem: an int64; DeleteAtPath: strings
}

// EditOp is how a JSON value is edited.
type EditOp int

// The edits. Two objects are joined to one, in which the added keys win (Append) or lose (Prepend); otherwise lists are
// joined, and what is no list counts as a list of one.
const (
	Append       EditOp = iota
	Prepend             // the same, with the added value before the other
	DeleteKey           // the key of an object, or the texts equal to it of a list
	DeleteElem          // the element of a list, negative from the end
	DeleteAtPath        // what a path of keys and indexes leads to
)

// prepare checks the edit and returns what does it.
func (e Edit) prepare(c *core.Column) (func(old any) (any, error), error) {
	if c.Kind != core.JSON {
		return nil, core.E("tables.Edit", core.Invalid, "only a JSON value can be edited")
	}
	add := any(nil)
	if e.Op == Append || e.Op == Prepend {
		raw, err := c.Parse(e.Value)
		if err != nil {
			return nil, err
		}
		if raw == nil {
			return func(any) (any, error) { return nil, nil }, nil // as NULL does in SQL
		}
		if add, err = decodeJSON(raw.(json.RawMessage)); err != nil {
			return nil, err
		}
	}
	if e.Value == nil {
		return nil, core.E("tables.Edit", core.Invalid, "null says nothing about what to delete: leave it out")
	}
	return func(old any) (any, error) {
		v, err := decodeJSON(old.(json.RawMessage))
		if err != nil {
			return nil, err
		}
		switch e.Op {
		case Append:
			return joinJSON(v, add), nil
		case Prepend:
			return joinJSON(add, v), nil
		case DeleteKey:
			return deleteKey(v, e.Value.(string))
		case DeleteElem:
			return deleteElem(v, e.Value.(int64))
		default:
			return deleteAtPath(v, e.Value.([]string)), nil
		}
	}, nil
}

// decodeJSON reads a value with its numbers as they are written.
func decodeJSON(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func joinJSON(a, b any) any {
	x, isObject := a.(map[string]any)
	y, both := b.(map[string]any)
	if isObject && both {
		for k, v := range y {
			x[k] = v
		}
		return x
	}
	return append(slices.Clone(listOf(a)), listOf(b)...)
}

func listOf(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

func deleteKey(v any, key string) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		delete(v, key)
		return v, nil
	case []any:
		return slices.DeleteFunc(v, func(item any) bool { return item == any(key) }), nil
	}
	return nil, core.E("tables.deleteKey", core.Invalid, "the value is neither an object nor a list: there is no key to delete")
}

func deleteElem(v any, i int64) (any, error) {
	switch l := v.(type) {
	case []any:
		if i < 0 {
			i += int64(len(l))
		}
		if i < 0 || i >= int64(len(l)) {
			return l, nil
		}
		return slices.Delete(l, int(i), int(i)+1), nil
	}
	return nil, core.E("tables.deleteElem", core.Invalid, "the value is no list: there is no element to delete")
}

// deleteAtPath leaves a value as it is that the path does not lead into.
func deleteAtPath(v any, path []string) any {
	if len(path) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		inner, ok := v[path[0]]
		switch {
		case !ok:
		case len(path) == 1:
			delete(v, path[0])
		default:
			v[path[0]] = deleteAtPath(inner, path[1:])
		}
	case []any:
		i, err := strconv.Atoi(path[0])
		if i < 0 {
			i += len(v)
		}
		switch {
		case err != nil || i < 0 || i >= len(v):
		case len(path) == 1:
			return slices.Delete(v, i, i+1)
		default:
			v[i] = deleteAtPath(v[i], path[1:])
		}
	}
	return v
}
