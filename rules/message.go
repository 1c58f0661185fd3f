package rules

import (
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

// message is a compiled [core.Deed.Message].
type message []piece

// piece is text, or the value of an expression.
type piece struct {
	text   string
	value  *Expr
	column *core.Column // that the expression is; nil when it is more than a column
}

// maxPiece is how many characters of a value stand in a message.
const maxPiece = 200

// unseen stands in a message for what its reader may not read, and empty for what has no value.
const (
	unseen = "…"
	empty  = "(empty)"
)

func compileMessage(env language, t *core.Table, source string) (message, error) {
	parts, err := core.SplitTemplate(source)
	if err != nil {
		return nil, err
	}
	var out message
	for _, p := range parts {
		if p.Source == "" {
			out = append(out, piece{text: p.Text})
			continue
		}
		e, err := compile(env, t, p.Source, Options{Old: true, Memory: true})
		if err != nil {
			return nil, core.E("rules.NewSet", err, "the message, {"+p.Source+"}: "+core.AsError(err).Msg)
		}
		next := piece{value: e}
		if root := e.ast.Expr(); root.Kind() == ast.IdentKind {
			next.column = e.vars[root.AsIdent()].column
		}
		out = append(out, next)
	}
	return out, nil
}

// text is the message for the writer.
func (m message) text(t *tableSet, w *Write) (string, error) {
	var b strings.Builder
	for i := range m {
		p := &m[i]
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		ok, err := w.sees(p.value)
		if err != nil {
			return "", err
		}
		if !ok {
			b.WriteString(unseen)
			continue
		}
		v, err := w.eval(t, p.value)
		if err != nil {
			return "", err
		}
		b.WriteString(p.words(v))
	}
	return b.String(), nil
}

// words writes a value for people: an option by its label, a decimal with the digits of its column, a day without a clock.
func (p *piece) words(v any) string {
	if v == nil {
		return empty
	}
	if p.column != nil {
		return short(p.column.Words(v))
	}
	switch v := v.(type) {
	case time.Time:
		if v.Equal(midnight(v)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(core.TimeLayout)
	case []string:
		return short(strings.Join(v, ", "))
	case string:
		return short(v)
	}
	return short(unquoted(core.AppendValue(nil, v)))
}

func unquoted(raw []byte) string { return strings.Trim(string(raw), `"`) }

func short(s string) string {
	if utf8.RuneCountInString(s) <= maxPiece {
		return s
	}
	return string([]rune(s)[:maxPiece]) + "…"
}
