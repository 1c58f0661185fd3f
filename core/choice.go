package core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Option is one value of a choice, of choices or of a status. Options are shown in the order of their list.
type Option struct {
	Value   string `json:"value"`
	Label   string `json:"label,omitempty"`
	Color   string `json:"color,omitempty"`
	Retired bool   `json:"retired,omitempty"` // records that have it keep it, and nobody chooses it any more

	// Of a status:
	State   string   `json:"state,omitempty"`   // the group of the option, such as active
	Initial bool     `json:"initial,omitempty"` // a record may begin with it; the first of them is the default
	Next    []string `json:"next,omitempty"`    // what may follow; when no option has it, anything may follow anything
}

// OptionSet is a list of options that columns share: see [Column.OptionSet].
type OptionSet struct {
	Name    string   `json:"name"`
	Label   string   `json:"label,omitempty"`
	Doc     string   `json:"doc,omitempty"`
	Options []Option `json:"options"`
}

func (s OptionSet) named(other OptionSet) bool { return s.Name == other.Name }

func (s OptionSet) check() error {
	if err := CheckName("option set", s.Name); err != nil {
		return err
	}
	problem := checkOptions(Choice, s.Options)
	if len(s.Options) == 0 {
		problem = "it needs options"
	}
	if problem != "" {
		return E("core.OptionSet", Invalid, fmt.Sprintf("option set %s: %s", s.Name, problem))
	}
	return nil
}

// maxOptions is how many options a column has at most.
const maxOptions = 1000

// chooses reports whether values of the kind are options.
func (k Kind) chooses() bool { return k == Choice || k == Choices || k == Status }

// HasOrder reports whether the values of c are sorted by the order of its options, and not by what they are.
func (c *Column) HasOrder() bool { return (c.Kind == Choice || c.Kind == Status) && len(c.Options) > 0 }

// Values returns the values of the options, in their order.
func (c *Column) Values() []string {
	out := make([]string, len(c.Options))
	for i, o := range c.Options {
		out[i] = o.Value
	}
	return out
}

// Option returns the option with that value.
func (c *Column) Option(value string) (*Option, bool) {
	i := slices.IndexFunc(c.Options, func(o Option) bool { return o.Value == value })
	if i < 0 {
		return nil, false
	}
	return &c.Options[i], true
}

// Initials returns the values with which a record may begin, of a status; the first of them is the default. Without
// transitions these are all that can be chosen, the default before the others.
func (c *Column) Initials() []string {
	var initial, rest []string
	for _, o := range c.Options {
		switch {
		case o.Initial:
			initial = append(initial, o.Value)
		case !o.Retired:
			rest = append(rest, o.Value)
		}
	}
	switch {
	case !c.transitions():
		return append(initial, rest...)
	case len(initial) == 0 && len(rest) > 0:
		return rest[:1]
	}
	return initial
}

// Next returns what may follow a value of a status, without what is retired. After a value that is no option any more
// a record begins anew.
func (c *Column) Next(value string) []string {
	from, ok := c.Option(value)
	if !ok {
		return c.Initials()
	}
	var out []string
	for _, o := range c.Options {
		if o.Value == value || o.Retired {
			continue
		}
		if !c.transitions() || slices.Contains(from.Next, o.Value) {
			out = append(out, o.Value)
		}
	}
	return out
}

// transitions reports whether the options of a status say what may follow them.
func (c *Column) transitions() bool {
	return slices.ContainsFunc(c.Options, func(o Option) bool { return len(o.Next) > 0 })
}

// DefaultSource returns the expression for new records that come without the column, "" when there is none.
func (c *Column) DefaultSource() string {
	if c.Default == "" && c.Kind == Status {
		if initial := c.Initials(); len(initial) > 0 {
			return strconv.Quote(initial[0])
		}
	}
	return c.Default
}

// parts returns the calculated columns that come and go with a status: the state of its value, and what may follow it.
func (c *Column) parts() []Column {
	if c.Kind != Status {
		return nil
	}
	states, next, plain := map[string]any{}, map[string]any{}, make([]Option, 0, len(c.Options))
	for _, o := range c.Options {
		plain = append(plain, Option{Value: o.Value, Label: o.Label, Color: o.Color, Retired: o.Retired})
		states[o.Value] = o.State
		if follow := c.Next(o.Value); len(follow) > 0 {
			slices.Sort(follow)
			next[o.Value] = follow
		}
	}
	pick := func(function string, of map[string]any) string {
		return fmt.Sprintf("%s(%s, %s)", function, c.Name, strconv.Quote(string(appendAny(nil, of))))
	}
	return []Column{
		{Name: c.Name + "_state", Physical: c.SQL() + "__state", Kind: Text, Part: c.Name, Formula: pick("pick", states), Doc: "The state of " + c.Name + "."},
		{Name: c.Name + "_next", Physical: c.SQL() + "__next", Kind: Choices, Options: plain, Part: c.Name, Formula: pick("pickAll", next), Doc: "What may follow in " + c.Name + "."},
	}
}

// checkOptions returns what is wrong with the options.
func (c *Column) checkOptions() string {
	switch {
	case c.Kind.chooses() && len(c.Options) == 0:
		return "a " + string(c.Kind) + " needs options"
	case !c.Kind.chooses() && len(c.Options) > 0:
		return "only a choice, choices and a status have options"
	case c.OptionSet != "" && c.Kind != Choice && c.Kind != Choices:
		return "only a choice and choices take their options from an option set"
	}
	return checkOptions(c.Kind, c.Options)
}

func checkOptions(k Kind, options []Option) string {
	if len(options) > maxOptions {
		return fmt.Sprintf("there are at most %d options", maxOptions)
	}
	seen := map[string]bool{}
	for _, o := range options {
		if o.Value == "" || len(o.Value) > 100 || seen[o.Value] {
			return fmt.Sprintf("option %q is empty, too long or there twice", o.Value)
		}
		if !utf8.ValidString(o.Value) || strings.ContainsRune(o.Value, 0) {
			return fmt.Sprintf("option %q is not valid UTF-8 or holds a NUL character", o.Value)
		}
		if (k == Choices || k == Status) && (strings.Contains(o.Value, ";") || strings.TrimSpace(o.Value) != o.Value) {
			return fmt.Sprintf("option %q holds a semicolon, or a blank at an end: several values are written with semicolons between them", o.Value)
		}
		seen[o.Value] = true
		switch {
		case k != Status && (o.State != "" || o.Initial || len(o.Next) > 0):
			return "only the options of a status have a state, are initial and have others that follow"
		case k == Status && (o.State == "" || len(o.State) > 100 || !utf8.ValidString(o.State) || strings.ContainsRune(o.State, 0)):
			return fmt.Sprintf("option %q needs a state, such as active or inactive", o.Value)
		case o.Initial && o.Retired:
			return fmt.Sprintf("option %q is retired, so no record begins with it", o.Value)
		}
	}
	for _, o := range options {
		for i, next := range o.Next {
			if !seen[next] || next == o.Value || slices.Contains(o.Next[:i], next) {
				return fmt.Sprintf("option %q is followed by %q, which is no option, itself, or there twice", o.Value, next)
			}
		}
	}
	if len(options) > 0 && !slices.ContainsFunc(options, func(o Option) bool { return !o.Retired }) {
		return "all options are retired: nothing is left to choose"
	}
	return ""
}

func parseChoice(c *Column, v any) (any, string) {
	s, ok := v.(string)
	if !ok {
		return nil, describe(v) + " is no text"
	}
	if _, ok := c.Option(s); !ok {
		return nil, fmt.Sprintf("%s is not one of %s", describe(s), c.optionList())
	}
	return s, ""
}

// parseChoices returns the values in the order of their bytes, each once. No value is NULL: a column has one way to hold
// nothing.
func parseChoices(c *Column, v any) (any, string) {
	var out []string
	switch v := v.(type) {
	case []string:
		out = slices.Clone(v)
	case string:
		out = []string{v}
	case json.RawMessage:
		if json.Unmarshal(v, &out) != nil {
			return nil, "the value is no list of texts"
		}
	case []any:
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, describe(item) + " is no text"
			}
			out = append(out, s)
		}
	default:
		return nil, describe(v) + " is no list of texts"
	}
	for _, s := range out {
		if _, ok := c.Option(s); !ok && c.Options != nil {
			return nil, fmt.Sprintf("%s is not one of %s", describe(s), c.optionList())
		}
	}
	if len(out) == 0 {
		return nil, ""
	}
	slices.Sort(out)
	return slices.Compact(out), ""
}

// readOption returns the value that people may have meant in a text file: the value itself, or else the option with that
// label, when there is one only.
func (c *Column) readOption(s string) string {
	if _, ok := c.Option(s); ok {
		return s
	}
	found := s
	for n, i := 0, 0; i < len(c.Options); i++ {
		if o := &c.Options[i]; o.Label != "" && strings.EqualFold(o.Label, s) {
			if n++; n > 1 {
				return s
			}
			found = o.Value
		}
	}
	return found
}

// optionList names what can be chosen.
func (c *Column) optionList() string {
	var out []string
	for _, o := range c.Options {
		if o.Retired {
			continue
		}
		if len(out) == 20 {
			out = append(out, "...")
			break
		}
		out = append(out, o.Value)
	}
	return strings.Join(out, ", ")
}

func appendChoices(b []byte, v any) []byte {
	b = append(b, '[')
	for i, s := range v.([]string) {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, s)
	}
	return append(b, ']')
}
