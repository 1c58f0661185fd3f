package core

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// DataClass is a label of columns that says what their values are, such as personal. Columns name the classes that they carry: see
// [Column.Classes]. What a class says holds for every column that carries it, and for what is calculated from one.
type DataClass struct {
	Name  string `json:"name"`
	Label string `json:"label,omitempty"`
	Doc   string `json:"doc,omitempty"`

	Mask   string   `json:"mask,omitempty"`   // of columns that have none and are of a kind that it fits: an expression over [MaskValue]
	Export Handling `json:"export,omitempty"` // what files of exported records hold
	AI     Handling `json:"ai,omitempty"`     // what models read, to learn or to answer
	Log    Handling `json:"log,omitempty"`    // what recordings of flows and the log of the process hold: allow or deny
	Egress Egress   `json:"egress,omitempty"` // which servers values may be sent to
	Hosts  []string `json:"hosts,omitempty"`  // of [EgressHosts]: their names
}

// Handling says what becomes of the values of a data class somewhere.
type Handling string

// The ways of handling values; the zero value is Allow.
const (
	Allow Handling = "allow" // they are as they are
	Mask  Handling = "mask"  // what the mask of the column makes of them is in their place, and NULL without a mask
	Deny  Handling = "deny"  // they are not there
)

// Use is what values are read for.
type Use string

// The uses that data classes speak of; the zero value is Shown, to who may read them.
const (
	Shown     Use = ""
	UseExport Use = "export" // files of exported records
	UseModel  Use = "model"  // a model, which learns from them or answers by them
	UseLog    Use = "log"    // recordings of what flows did, and the log of the process
)

// Egress says which servers outside may be sent the values of a data class.
type Egress string

// Where values may go; the zero value is EgressAny.
const (
	EgressAny   Egress = "any"
	EgressHosts Egress = "hosts" // those that the class names
	EgressNone  Egress = "none"
)

// maxHosts is how many servers a data class names at most.
const maxHosts = 100

func (c DataClass) named(other DataClass) bool { return c.Name == other.Name }

// complete returns the class in the form in which two that say the same are the same.
func (c DataClass) complete() DataClass {
	if c.Export == Allow {
		c.Export = ""
	}
	if c.AI == Allow {
		c.AI = ""
	}
	if c.Log == Allow {
		c.Log = ""
	}
	if c.Egress == EgressAny {
		c.Egress = ""
	}
	hosts := make([]string, len(c.Hosts))
	for i, h := range c.Hosts {
		hosts[i] = strings.ToLower(strings.TrimSuffix(h, "."))
	}
	slices.Sort(hosts)
	if c.Hosts = slices.Compact(hosts); len(c.Hosts) == 0 {
		c.Hosts = nil
	}
	return c
}

// Same reports whether the classes say the same.
func (c *DataClass) Same(other DataClass) bool {
	return reflect.DeepEqual(c.complete(), other.complete())
}

func (c DataClass) check() error {
	if err := CheckName("data class", c.Name); err != nil {
		return err
	}
	handlings := []Handling{"", Allow, Mask, Deny}
	problem := ""
	switch {
	case !slices.Contains(handlings, c.Export):
		problem = "export is one of allow, mask, deny"
	case !slices.Contains(handlings, c.AI):
		problem = "ai is one of allow, mask, deny"
	case !slices.Contains([]Handling{"", Allow, Deny}, c.Log):
		problem = "log is one of allow, deny"
	case !slices.Contains([]Egress{"", EgressAny, EgressHosts, EgressNone}, c.Egress):
		problem = "egress is one of any, hosts, none"
	case c.Egress == EgressHosts && len(c.Hosts) == 0:
		problem = "egress is hosts: name them in hosts, or choose none"
	case c.Egress != EgressHosts && len(c.Hosts) > 0:
		problem = "hosts are named where egress is hosts: set it, or leave them out"
	case len(c.Hosts) > maxHosts:
		problem = fmt.Sprintf("a class names at most %d hosts", maxHosts)
	}
	for _, h := range c.Hosts {
		if problem == "" && (h == "" || strings.ContainsAny(h, " /:@*")) {
			problem = fmt.Sprintf("%q is no name of a host: write it like api.example.com, without a scheme, a port or a path", h)
		}
	}
	if problem != "" {
		return E("core.DataClass", Invalid, fmt.Sprintf("data class %s: %s", c.Name, problem))
	}
	return nil
}

// Handled says what becomes of the values where they are read for the use.
func (c *DataClass) Handled(u Use) Handling {
	switch u {
	case UseExport:
		return c.Exported()
	case UseModel:
		return c.Taught()
	case UseLog:
		return c.Logged()
	}
	return Allow
}

// Exported says what files of exported records hold of the values.
func (c *DataClass) Exported() Handling { return cmp.Or(c.Export, Allow) }

// Taught says what models read of the values.
func (c *DataClass) Taught() Handling { return cmp.Or(c.AI, Allow) }

// Logged says what recordings and the log hold of the values.
func (c *DataClass) Logged() Handling { return cmp.Or(c.Log, Allow) }

// Sent says which servers the values may be sent to.
func (c *DataClass) Sent() Egress { return cmp.Or(c.Egress, EgressAny) }

// Reaches reports whether values of the class may be sent to the host; "" stands for any host at all.
func (c *DataClass) Reaches(host string) bool {
	switch c.Egress {
	case EgressNone:
		return false
	case EgressHosts:
		return slices.Contains(c.Hosts, strings.ToLower(strings.TrimSuffix(host, ".")))
	}
	return true
}

// DataClasses returns the classes by name. The slice is shared: do not change it.
func (s *Schema) DataClasses() []DataClass { return s.classes }

// DataClass returns the class of that name.
func (s *Schema) DataClass(name string) (*DataClass, bool) {
	i := slices.IndexFunc(s.classes, DataClass{Name: name}.named)
	if i < 0 {
		return nil, false
	}
	return &s.classes[i], true
}

// NeedClass returns the class of that name, or an error that names the nearest one.
func (s *Schema) NeedClass(name string) (*DataClass, error) {
	if c, ok := s.DataClass(name); ok {
		return c, nil
	}
	have := make([]string, len(s.classes))
	for i := range s.classes {
		have[i] = s.classes[i].Name
	}
	msg := fmt.Sprintf("there is no data class %q", name)
	if near := Suggest(name, have); near != "" {
		msg += "; did you mean " + near + "?"
	} else {
		msg += ": make it with put_data_class"
	}
	return nil, E("core.NeedClass", Invalid, msg)
}

// classify checks the classes that the columns of t name.
func (s *Schema) classify(t *Table) error {
	for i := range t.Columns {
		c := &t.Columns[i]
		at := At{Table: t.Name, Column: c.Name}
		for j, name := range c.Classes {
			if _, err := s.NeedClass(name); err != nil {
				return E("core.NewSchema", at, err)
			}
			if slices.Contains(c.Classes[:j], name) {
				return E("core.NewSchema", Invalid, at, fmt.Sprintf("the data class %s is there twice", name))
			}
		}
	}
	return nil
}

// ClassesOf returns the classes that the column of t carries by its definition, or that of the column that it is a part of.
func (t *Table) ClassesOf(c *Column) []string {
	if of, ok := t.Column(c.Of); ok && c.Of != "" {
		return t.ClassesOf(of)
	}
	return c.Classes
}

// union returns the words of a, then those of b that a does not have.
func union(a, b []string) []string {
	out := slices.Clip(a)
	for _, w := range b {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// PutClass adds a data class, or replaces the one of its name for all columns that carry it.
type PutClass struct{ Put DataClass }

// Table implements [Change].
func (c PutClass) Table() string { return "" }

func (c PutClass) apply(d *draft) error {
	put := c.Put.complete()
	if i := slices.IndexFunc(d.classes, put.named); i >= 0 {
		d.classes[i] = put
	} else {
		d.classes = append(d.classes, put)
	}
	return nil
}

// DropClass removes a data class that no column carries.
type DropClass struct{ Name string }

// Table implements [Change].
func (c DropClass) Table() string { return "" }

func (c DropClass) apply(d *draft) error {
	const op = "core.DropClass"
	i := slices.IndexFunc(d.classes, DataClass{Name: c.Name}.named)
	if i < 0 {
		return E(op, NotFound, fmt.Sprintf("there is no data class %q", c.Name))
	}
	var carried []string
	for _, t := range d.tables {
		for _, column := range t.Columns {
			if slices.Contains(column.Classes, c.Name) {
				carried = append(carried, t.Name+"."+column.Name)
			}
		}
	}
	if len(carried) > 0 {
		slices.Sort(carried)
		return E(op, Invalid, fmt.Sprintf("the data class %s is carried by %s: take it from them first", c.Name, strings.Join(carried, ", ")))
	}
	d.classes = slices.Delete(d.classes, i, i+1)
	return nil
}
