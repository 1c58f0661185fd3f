package flows

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
)

// reader turns nodes into a definition. The first error sticks.
type reader struct {
	d     *definition
	err   error
	count int // of steps
	ids   []string
}

func (r *reader) fail(n *yaml.Node, path, format string, args ...any) {
	if r.err == nil {
		r.err = at(n).problem(path, format, args...)
	}
}

func at(n *yaml.Node) place { return place{n.Line, n.Column} }

// members calls each for the entries of a mapping, whose keys must be among those allowed.
func (r *reader) members(n *yaml.Node, path, what string, allowed []string, each func(key string, v *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "%s is written as %s: ..., and not as %s", what, allowed[0], form(n))
		return false
	}
	return r.entries(n, path, func(k, v *yaml.Node) {
		if !slices.Contains(allowed, k.Value) {
			r.fail(k, path, "%s has no %q%s; there are: %s", what, k.Value, guess(k.Value, allowed), strings.Join(allowed, ", "))
			return
		}
		each(k.Value, v)
	})
}

// entries calls each for the entries of a mapping, none of which is there twice.
func (r *reader) entries(n *yaml.Node, path string, each func(k, v *yaml.Node)) bool {
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && r.err == nil; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode {
			r.fail(k, path, "a key is a word, and not %s", form(k))
			return false
		}
		if seen[k.Value] {
			r.fail(k, path, "%q is there twice: remove one", k.Value)
			return false
		}
		seen[k.Value] = true
		if v.Kind == yaml.AliasNode || v.Anchor != "" {
			r.fail(v, path, "anchors and aliases are no part of a definition: write the value out")
			return false
		}
		each(k, v)
	}
	return r.err == nil
}

func form(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Tag == "!!null" {
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

func keysOf(n *yaml.Node) map[string]*yaml.Node {
	out := map[string]*yaml.Node{}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[n.Content[i].Value] = n.Content[i+1]
		}
	}
	return out
}

func (r *reader) text(n *yaml.Node, path, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		r.fail(n, path, "%s is a text, and not %s", what, form(n))
		return ""
	}
	if n.Value == "" {
		r.fail(n, path, "%s is empty", what)
	}
	return n.Value
}

func (r *reader) boolean(n *yaml.Node, path, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.fail(n, path, "%s is true or false, and not %s", what, form(n))
	}
	return strings.EqualFold(n.Value, "true")
}

func (r *reader) integer(n *yaml.Node, path, what string, least, most int) int {
	i, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || i < least || i > most {
		r.fail(n, path, "%s is a whole number from %d to %d, and not %s", what, least, most, form(n))
	}
	return i
}

func (r *reader) duration(n *yaml.Node, path, what string, least, most time.Duration) time.Duration {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d < least || d > most {
		r.fail(n, path, "%s is a time like 200ms, 30s, 5m or 1h, from %s to %s, and not %s", what, least, most, form(n))
	}
	return d
}

func (r *reader) choice(n *yaml.Node, path, what string, of ...string) string {
	if n.Kind != yaml.ScalarNode || !slices.Contains(of, n.Value) {
		r.fail(n, path, "%s is one of %s, and not %s", what, strings.Join(of, ", "), form(n))
	}
	return n.Value
}

func (r *reader) list(n *yaml.Node, path, what string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, path, "%s is a list, and not %s", what, form(n))
		return nil
	}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode || item.Anchor != "" {
			r.fail(item, path, "anchors and aliases are no part of a definition: write the value out")
		}
	}
	return n.Content
}

// inside is where the text of a scalar begins: behind the quote, or on the line after | or >.
func inside(n *yaml.Node) place {
	p := at(n)
	switch n.Style {
	case yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle:
		p.column++
	case yaml.LiteralStyle, yaml.FoldedStyle:
		p = place{p.line + 1, 1}
	}
	return p
}

func (r *reader) fields(n *yaml.Node, path, what string) []field {
	if n.Kind != yaml.MappingNode {
		r.fail(n, path, "%s is an object of names and values, and not %s", what, form(n))
		return nil
	}
	var out []field
	r.entries(n, path, func(k, v *yaml.Node) {
		if what == "set" {
			if err := core.CheckName("variable", k.Value); err != nil {
				r.fail(k, path, "%s", core.AsError(err).Msg)
			}
		}
		out = append(out, field{k.Value, r.value(v, path)})
	})
	return out
}

func (r *reader) value(n *yaml.Node, path string) *value {
	v := &value{at: at(n)}
	switch n.Kind {
	case yaml.MappingNode:
		v.object = r.object(n, path)
	case yaml.SequenceNode:
		v.list = []*value{}
		for _, item := range r.list(n, path, "the value") {
			v.list = append(v.list, r.value(item, path))
		}
	default:
		r.scalar(v, n, path)
	}
	return v
}

func (r *reader) object(n *yaml.Node, path string) []field {
	out := []field{}
	r.entries(n, path, func(k, v *yaml.Node) { out = append(out, field{k.Value, r.value(v, path)}) })
	return out
}

func (r *reader) scalar(v *value, n *yaml.Node, path string) {
	switch n.Tag {
	case "!!null":
	case "!!bool":
		v.literal = strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		if !json.Valid([]byte(n.Value)) {
			r.fail(n, path, "%s is written as a number that JSON does not know: write it like 12 or 1.5, or put quotes around a text", n.Value)
		}
		v.literal = json.Number(n.Value)
	case "!!str", "!!timestamp":
		if source, ok := strings.CutPrefix(n.Value, "="); ok {
			v.source, v.isExpr, v.at = source, true, inside(n)
			v.at.column++
			return
		}
		v.literal = n.Value
	default:
		r.fail(n, path, "the value has the type %s, which is no part of a definition", n.Tag)
	}
}
