package core

import (
	"strings"
)

// TemplatePart is a part of a message: text as it is, or an expression whose value stands in its place.
type TemplatePart struct {
	Text   string
	Source string // the expression; empty when the part is text
}

// SplitTemplate takes a message apart: "{total} is too much" is an expression and a text. {{ and }} stand for { and }. A brace
// in a text within an expression is part of it.
func SplitTemplate(s string) ([]TemplatePart, error) {
	var out []TemplatePart
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			out = append(out, TemplatePart{Text: text.String()})
			text.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c:
			text.WriteByte(c)
			i++
		case c == '}':
			return nil, E("core.SplitTemplate", Invalid, "a } in the message closes nothing: write }} for the character")
		case c == '{':
			end := expressionEnd(s[i+1:])
			if end < 0 {
				return nil, E("core.SplitTemplate", Invalid, "a { in the message is not closed: write {{ for the character")
			}
			source := strings.TrimSpace(s[i+1 : i+1+end])
			if source == "" {
				return nil, E("core.SplitTemplate", Invalid, "the message has braces with nothing between them: write {{ and }} for the characters")
			}
			flush()
			out = append(out, TemplatePart{Source: source})
			i += end + 1
		default:
			text.WriteByte(c)
		}
	}
	flush()
	return out, nil
}

// expressionEnd returns where the expression that s begins with is closed, -1 when it is not.
func expressionEnd(s string) int {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '"' || c == '\'':
			quote = c
		case c == '}':
			return i
		}
	}
	return -1
}

// JoinTemplate is the inverse of [SplitTemplate].
func JoinTemplate(parts []TemplatePart) string {
	var b strings.Builder
	escape := strings.NewReplacer("{", "{{", "}", "}}")
	for _, p := range parts {
		if p.Source != "" {
			b.WriteString("{" + p.Source + "}")
		} else {
			b.WriteString(escape.Replace(p.Text))
		}
	}
	return b.String()
}

// Words writes a value of the column for people: an option by its label, everything else as the API has it.
func (c *Column) Words(v any) string {
	label := func(value string) string {
		if o, ok := c.Option(value); ok && o.Label != "" {
			return o.Label
		}
		return value
	}
	switch v := v.(type) {
	case string:
		return label(v)
	case []string:
		out := make([]string, len(v))
		for i, value := range v {
			out[i] = label(value)
		}
		return strings.Join(out, ", ")
	}
	return strings.Trim(string(c.AppendJSON(nil, v)), `"`)
}
