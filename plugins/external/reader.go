package external

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
)

// reader turns nodes of YAML into a manifest. The first error sticks.
type reader struct{ err error }

func (r *reader) fail(n *yaml.Node, format string, args ...any) {
	if r.err == nil {
		r.err = core.E("external.manifest", core.Invalid, core.At{Line: n.Line, Pos: n.Column}, fmt.Sprintf(format, args...))
	}
}

// members calls each for the entries of a mapping, whose keys must be among those allowed.
func (r *reader) members(n *yaml.Node, what string, allowed []string, each func(key string, v *yaml.Node)) {
	r.entries(n, what, func(k, v *yaml.Node) {
		if !slices.Contains(allowed, k.Value) {
			r.fail(k, "%s has no %q%s; there are: %s", what, k.Value, near(k.Value, allowed), strings.Join(allowed, ", "))
			return
		}
		each(k.Value, v)
	})
}

// entries calls each for the entries of a mapping, none of which is there twice.
func (r *reader) entries(n *yaml.Node, what string, each func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s is an object, and not %s", what, form(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content) && r.err == nil; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			r.fail(k, "a key is a word, and not %s", form(k))
		case seen[k.Value]:
			r.fail(k, "%q is there twice: remove one", k.Value)
		case v.Kind == yaml.AliasNode || v.Anchor != "":
			r.fail(v, "anchors and aliases are no part of a manifest: write the value out")
		default:
			seen[k.Value] = true
			each(k, v)
		}
	}
}

// each calls do for the items of a list.
func (r *reader) each(n *yaml.Node, what string, do func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "%s is a list, and not %s", what, form(n))
		return
	}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode || item.Anchor != "" {
			r.fail(item, "anchors and aliases are no part of a manifest: write the value out")
		}
		if r.err == nil {
			do(item)
		}
	}
}

func near(word string, have []string) string {
	if near := core.Suggest(word, have); near != "" {
		return " (did you mean " + near + "?)"
	}
	return ""
}

func form(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "an object"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

func (r *reader) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Value == "" {
		r.fail(n, "%s is a text, and not %s", what, form(n))
	}
	return n.Value
}

func (r *reader) name(n *yaml.Node, what string) string {
	name := r.text(n, "the name of a "+what)
	if err := core.CheckName(what, name); err != nil {
		r.fail(n, "%s", core.AsError(err).Msg)
	}
	return name
}

func (r *reader) oneOf(n *yaml.Node, what string, have []string) string {
	word := r.text(n, "a "+what)
	if !slices.Contains(have, word) {
		r.fail(n, "there is no %s %q%s; there are: %s", what, word, near(word, have), strings.Join(have, ", "))
	}
	return word
}

func (r *reader) boolean(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
		r.fail(n, "%s is true or false, and not %s", what, form(n))
	}
	return strings.EqualFold(n.Value, "true")
}

func (r *reader) integer(n *yaml.Node, what string, least, most int) int {
	i, err := strconv.Atoi(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || i < least || i > most {
		r.fail(n, "%s is a whole number from %d to %d, and not %s", what, least, most, form(n))
	}
	return i
}

// size reads a number of bytes such as 64MB, by powers of 1,024.
func (r *reader) size(n *yaml.Node, what string, least, most int) int {
	number, unit := n.Value, 0
	for i, suffix := range []string{"KB", "MB"} {
		if rest, ok := strings.CutSuffix(n.Value, suffix); ok {
			number, unit = rest, 10*(i+1)
		}
	}
	i, err := strconv.Atoi(strings.TrimSpace(number))
	if n.Kind != yaml.ScalarNode || err != nil || unit == 0 || i < 0 || i > most>>unit || i<<unit < least {
		r.fail(n, "%s is a size from %s to %s, such as %s, and not %s", what, bytes(least), bytes(most), bytes(most), form(n))
		return least
	}
	return i << unit
}

func bytes(n int) string {
	if n >= 1<<20 {
		return strconv.Itoa(n>>20) + "MB"
	}
	return strconv.Itoa(n>>10) + "KB"
}
