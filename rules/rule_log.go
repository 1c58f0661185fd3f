package rules

import (
	"slices"
	"sync"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/parser"

	"colonnade/core"
)

// Log tells what the rules of a table made of one record, in order. It tells no more than the writer may know.
type Log struct{ Rules []*RuleLog }

// RuleLog is what one rule did.
type RuleLog struct {
	Rule   string
	Holds  any  // of the condition: true, false, or nil for NULL
	Later  bool // it checks by other records, when the record is written, and was not asked yet
	Unseen bool // the condition reads what the writer may not: neither its value nor its parts are told
	Parts  []PartLog
	Else   bool // the actions are those of else
	Did    []DeedLog
}

// PartLog is a part of a condition that is true or false by itself.
type PartLog struct {
	Source string
	Value  any
}

// DeedLog is an action.
type DeedLog struct {
	Do            string
	Column        string
	Before, After any    // of the column
	Value         any    // of recommend
	Message       string // of a refusal, or of recommend
	Refused       bool
}

// begin notes a rule whose condition was looked at. It returns nil when nobody asks.
func (l *Log) begin(t *tableSet, r *rule, w *Write, holds any) (*RuleLog, error) {
	if l == nil {
		return nil, nil
	}
	out := &RuleLog{Rule: r.source.Name}
	seen, err := w.sees(r.when)
	if err != nil {
		return nil, err
	}
	l.Rules = append(l.Rules, out)
	if !seen {
		out.Unseen = true
		return out, nil
	}
	out.Holds, out.Else = holds, holds != true
	if r.when == nil {
		return out, nil
	}
	parts, err := r.parts()
	if err != nil || len(parts) < 2 {
		return out, err
	}
	for _, p := range parts {
		v, err := w.eval(t, p.value)
		if err != nil {
			return nil, err
		}
		out.Parts = append(out.Parts, PartLog{p.source, v})
	}
	return out, nil
}

// later notes a rule that is asked when the record is written.
func (l *Log) later(r *rule, w *Write) {
	if l != nil && r.source.Runs(w.Op) && r.source.Scope.Includes(&w.Caller) {
		l.Rules = append(l.Rules, &RuleLog{Rule: r.source.Name, Later: true})
	}
}

// Asked puts what [Set.Verify] has told into the places of those rules that were to be asked later.
func (l *Log) Asked(later *Log) {
	for i, r := range l.Rules {
		j := slices.IndexFunc(later.Rules, func(o *RuleLog) bool { return o.Rule == r.Rule && !o.Later })
		if r.Later && j >= 0 {
			l.Rules[i] = later.Rules[j]
		}
	}
}

// did notes an action, as far as the writer may know of it. What a rule does for a reason that he may not see shows only in
// what it changes and refuses, as it does in a write.
func (l *RuleLog) did(t *tableSet, w *Write, d *deed, before any, refused error) error {
	out := DeedLog{Do: d.name, Refused: refused != nil}
	if refused != nil {
		out.Message = core.AsError(refused).Msg
	}
	if d.column == nil {
		l.Did = append(l.Did, out)
		return nil
	}
	if !w.knows(d.column) {
		if refused != nil {
			l.Did = append(l.Did, out)
		}
		return nil
	}
	out.Column = d.column.Name
	after := w.Record[d.column.Name]
	if l.Unseen && refused == nil && (d.do == nil || same(before, after)) && d.name != "require" && d.name != "lock" {
		return nil
	}
	shown := true
	if w.Viewer != nil {
		var err error
		if shown, err = w.Viewer.Sees(d.column.Name, false); err != nil {
			return err
		}
	}
	if shown {
		out.Before, out.After = before, after
	}
	if d.name == "recommend" {
		if err := out.recommend(t, w, d); err != nil {
			return err
		}
	}
	l.Did = append(l.Did, out)
	return nil
}

func (l *DeedLog) recommend(t *tableSet, w *Write, d *deed) (err error) {
	if d.message != nil {
		if l.Message, err = d.message.text(t, w); err != nil {
			return err
		}
	}
	seen, err := w.sees(d.value)
	if err != nil || !seen || d.value == nil {
		return err
	}
	v, err := w.eval(t, d.value)
	if err != nil {
		return err
	}
	into := core.Record{}
	if err := d.put(v, into); err != nil {
		return err
	}
	l.Value = into[d.column.Name]
	return nil
}

// part is a part of a condition.
type part struct {
	source string
	value  *Expr
}

// lazyParts returns what takes a condition apart at its &&, || and !, when it is first asked for.
func lazyParts(env language, t *core.Table, source string) func() ([]part, error) {
	return sync.OnceValues(func() ([]part, error) {
		sources, err := partsOf(source)
		if err != nil {
			return nil, err
		}
		out := make([]part, len(sources))
		for i, s := range sources {
			e, err := compile(env, t, s, Options{Old: true, Memory: true})
			if err != nil {
				return nil, err
			}
			out[i] = part{s, e}
		}
		return out, nil
	})
}

// partsOf returns the operands of the outer &&, || and ! of a condition, as they could have been written.
func partsOf(source string) (out []string, err error) {
	p, err := parser.NewParser(parser.MaxRecursionDepth(2*maxDepth), parser.ExpressionSizeCodePointLimit(maxSource))
	if err != nil {
		return nil, err
	}
	tree, problems := p.Parse(common.NewTextSource(source)) // without macros, so that their calls stay what they are
	if len(problems.GetErrors()) > 0 {
		return nil, core.E("rules.partsOf", core.Invalid, problems.GetErrors()[0].Message)
	}
	var visit func(e ast.Expr) error
	visit = func(e ast.Expr) error {
		if e.Kind() == ast.CallKind {
			switch e.AsCall().FunctionName() {
			case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
				for _, x := range e.AsCall().Args() {
					if err := visit(x); err != nil {
						return err
					}
				}
				return nil
			}
		}
		text, err := parser.Unparse(e, tree.SourceInfo())
		out = append(out, text)
		return err
	}
	return out, visit(tree.Expr())
}
