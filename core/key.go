package core

import (
	"fmt"
	"slices"
	"strings"
)

// Key is an alternate key: no two records have the same values in its columns. Texts are the same when their bytes are,
// numbers when their values are.
type Key struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Nulls   Nulls    `json:"nulls,omitempty"`
}

// Nulls says what a key makes of a NULL.
type Nulls string

// The policies; the zero value is NullsDistinct.
const (
	NullsDistinct Nulls = "distinct" // a record with a NULL in the key is like no other
	NullsEqual    Nulls = "equal"    // NULL is a value like others
	NullsRefuse   Nulls = "refuse"   // no record has a NULL in the key
)

// Limits of a key.
const (
	// MaxKeyColumns is how many columns a key has at most.
	MaxKeyColumns = 16

	// MaxKeyBytes is how long the values of a key may be together; see [KeySize]. PostgreSQL takes 2,704 bytes for a row of an
	// index, with what it adds to the values.
	MaxKeyBytes = 2640
)

// noKey says why values of a kind cannot be a key.
var noKey = map[Kind]string{
	JSON:     "one JSON value can be written in several ways",
	LongText: "its values are longer than an index can hold; choose the kind text",
	File:     "one content can be uploaded as several files",
	Image:    "one content can be uploaded as several files",
	Choices:  "it has several values; link the records by many to many, and make that unique",
}

// Same reports whether both keys hold the same, whatever they are called.
func (k Key) Same(o Key) bool {
	return slices.Equal(k.Columns, o.Columns) && k.policy() == o.policy()
}

func (k Key) policy() Nulls {
	if k.Nulls == "" {
		return NullsDistinct
	}
	return k.Nulls
}

// checkKeys finds what is wrong with the keys of t.
func (t *Table) checkKeys() error {
	const op = "core.Table"
	names := map[string]bool{}
	for _, k := range t.Keys {
		at := At{Table: t.Name}
		if names[k.Name] {
			return E(op, Exists, at, "the table has two keys named "+k.Name)
		}
		names[k.Name] = true
		if err := CheckName("key", k.Name); err != nil {
			return E(op, at, err)
		}
		if c, ok := t.Column(k.Name); ok && c.Unique {
			return E(op, Exists, At{Table: t.Name, Column: k.Name}, "the column is unique, and so a key of this name: choose another name for the key")
		}
		if len(k.Columns) == 0 {
			return E(op, Invalid, at, "key "+k.Name+" names no column")
		}
		if len(k.Columns) > MaxKeyColumns {
			return E(op, Limit, at, fmt.Sprintf("key %s names %d columns, and a key has at most %d", k.Name, len(k.Columns), MaxKeyColumns))
		}
		if !slices.Contains([]Nulls{"", NullsDistinct, NullsEqual, NullsRefuse}, k.Nulls) {
			return E(op, Invalid, at, fmt.Sprintf("key %s: nulls is %q: choose distinct, equal or refuse", k.Name, k.Nulls))
		}
		for i, name := range k.Columns {
			if slices.Contains(k.Columns[:i], name) {
				return E(op, Invalid, At{Table: t.Name, Column: name}, "key "+k.Name+" names the column twice")
			}
			if err := t.checkKeyColumn(k, name); err != nil {
				return E(op, err)
			}
		}
	}
	return nil
}

func (t *Table) checkKeyColumn(k Key, name string) error {
	const op = "core.Key"
	c, err := t.Need(name)
	if err != nil {
		return err
	}
	at := At{Table: t.Name, Column: name}
	switch {
	case c.Virtual():
		return E(op, Invalid, at, "a calculated column is part of a key only when it is stored: set stored")
	case noKey[c.Kind] != "":
		return E(op, Invalid, at, fmt.Sprintf("a column of the kind %s cannot be part of a key: %s", c.Kind, noKey[c.Kind]))
	case k.Nulls == NullsRefuse && c.OnDelete == SetNull:
		return E(op, Invalid, at, "key "+k.Name+" takes no null, and the lookup is set to null when its record is deleted: choose restrict or cascade")
	}
	return nil
}

// held is a key whose values are checked when a record is written.
type held struct {
	Key
	columns []*Column
}

// completeKeys gives the policies of keys one form, and notes which keys are checked by [Table.CheckKeys]. Those of short
// values that may be NULL need no check.
func (t *Table) completeKeys() {
	t.Keys, t.held = slices.Clone(t.Keys), nil
	for i := range t.Keys {
		if t.Keys[i].Nulls == NullsDistinct {
			t.Keys[i].Nulls = ""
		}
		t.hold(t.Keys[i])
	}
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Unique {
			t.hold(Key{Columns: []string{c.Name}})
		}
	}
}

func (t *Table) hold(k Key) {
	h := held{Key: k}
	size := 0
	for _, name := range k.Columns {
		c, ok := t.Column(name)
		if !ok {
			return // a mistake that check finds
		}
		h.columns = append(h.columns, c)
		size += maxKeySize(c)
	}
	if k.Nulls == NullsRefuse || size > MaxKeyBytes {
		t.held = append(t.held, h)
	}
}

// What a value takes in the row of an index: a text its bytes and textOverhead, another value at most otherSize.
const (
	textOverhead = 8
	otherSize    = 32
)

// Measured reports whether values of the kind are as long in a key as they are; others are short.
func (k Kind) Measured() bool { return k.Info().Like }

func maxKeySize(c *Column) int {
	if !c.Kind.Measured() {
		return otherSize
	}
	longest := c.MaxLength
	if longest == 0 || c.Calculated() { // whose values have the length that they have
		longest = MaxText
	}
	return 4*longest + textOverhead // UTF-8
}

// KeySize is how many bytes a value of the kind takes in a key.
func KeySize(k Kind, v any) int {
	if s, ok := v.(string); ok && k.Measured() {
		return len(s) + textOverhead
	}
	return otherSize
}

// CheckedKeys returns the keys that [Table.CheckKeys] looks at.
func (t *Table) CheckedKeys() []Key {
	out := make([]Key, len(t.held))
	for i := range t.held {
		out[i] = t.held[i].Key
	}
	return out
}

// CheckKeys finds a key of t that the record, with values in the Go forms, cannot have: for a NULL that the key refuses, or
// since the values are longer than a key can be.
func (t *Table) CheckKeys(r Record) error {
	const op = "core.CheckKeys"
	for i := range t.held {
		h := &t.held[i]
		size := 0
		for _, c := range h.columns {
			v := r[c.Name]
			if v == nil && h.Nulls == NullsRefuse {
				return E(op, Invalid, At{Table: t.Name, Column: c.Name}, "a value is required: the column is part of the key "+h.Name+", which takes no null")
			}
			size += KeySize(c.Kind, v)
		}
		if size > MaxKeyBytes {
			return E(op, Invalid, At{Table: t.Name, Column: h.columns[0].Name},
				fmt.Sprintf("the %s %s together, and what identifies a record has at most %d: shorten a value", h.what(), Count(size, "byte"), MaxKeyBytes))
		}
	}
	return nil
}

func (h *held) what() string {
	if len(h.columns) == 1 {
		return "value has"
	}
	return "values of " + strings.Join(h.Columns, ", ") + " have"
}
