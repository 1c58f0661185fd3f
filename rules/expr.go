package rules

import (
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"colonnade/core"
)

// Options of [Compile]; the zero value works.
type Options struct {
	Old    bool // old.<column> is the record before the change, whose columns are NULL on create
	Memory bool // functions without a SQL form are allowed; such an expression cannot be printed

	// Unchanged says, with Old, that the record before the change is the record itself: such an expression can be printed.
	Unchanged bool
}

// Expr is a checked expression over the columns of one table. It is safe for concurrent use.
type Expr struct {
	Source     string
	Type       string   // of the result, as in core.KindInfo.CEL
	Columns    []string // of the row that it reads, sorted
	OldColumns []string // of the record before the change, sorted
	Outside    bool     // it reads the caller or the time, too

	table     *core.Table
	env       *cel.Env
	ast       *ast.AST
	program   cel.Program
	vars      map[string]variable
	overloads map[int64]*Overload                   // by node
	constants map[int64]func() (cel.Program, error) // by node: what does not depend on the row
	memory    string                                // why there is no SQL form; empty when there is one
	cost      cost
}

// variable is a column as an expression names it.
type variable struct {
	column *core.Column
	old    bool
}

// Compile checks source against the columns of t. The errors are of the kind Invalid, carry the table, the line and the
// character, and name what the author may have meant.
func Compile(t *core.Table, source string, o Options) (*Expr, error) {
	env, err := tableEnv(t, o)
	if err != nil {
		return nil, core.E("rules.Compile", core.At{Table: t.Name}, err)
	}
	return compile(env, t, source, o)
}

// compile is Compile in the environment of the table.
func compile(env *cel.Env, t *core.Table, source string, o Options) (*Expr, error) {
	const op = "rules.Compile"
	at := core.At{Table: t.Name}
	if len(source) > maxSource {
		return nil, core.E(op, core.Invalid, at, "the expression is too long: at most 10,000 bytes")
	}
	if strings.TrimSpace(source) == "" {
		return nil, core.E(op, core.Invalid, at, "the expression is empty")
	}
	checked, err := check(env, t, source, o)
	if err != nil {
		return nil, core.E(op, at, err)
	}
	e := &Expr{Source: source, table: t, env: env, ast: checked, vars: map[string]variable{}, overloads: map[int64]*Overload{}, constants: map[int64]func() (cel.Program, error){}}
	if err := settle(e.ast); err != nil {
		return nil, core.E(op, at, err)
	}
	if err := e.analyse(o); err != nil {
		return nil, core.E(op, at, err)
	}
	for _, v := range e.vars {
		if v.old {
			e.OldColumns = append(e.OldColumns, v.column.Name)
		} else {
			e.Columns = append(e.Columns, v.column.Name)
		}
	}
	slices.Sort(e.Columns)
	e.Columns = slices.Compact(e.Columns)
	slices.Sort(e.OldColumns)
	e.Type = typeName(e.ast.GetType(e.ast.Expr().ID()))
	if celTypes[e.Type] == nil || e.Type == "json" || e.Type == "dyn" {
		return nil, core.E(op, core.Invalid, core.At{Table: t.Name, Line: 1, Pos: 1}, "the result is "+aWord(e.Type)+", and should be a text, a number, a boolean or a date")
	}
	if e.program, err = env.PlanProgram(e.ast, cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, core.E(op, at, err)
	}
	return e, nil
}

// check parses source, refuses what the language does not have, and checks the types.
func check(env *cel.Env, t *core.Table, source string, o Options) (*ast.AST, error) {
	names := callerNames()
	for i := range t.Columns {
		names = append(names, t.Columns[i].Name)
		if o.Old {
			names = append(names, oldPrefix+t.Columns[i].Name)
		}
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, explain(issues, names)
	}
	if err := labels(parsed.NativeRep(), t); err != nil {
		return nil, err
	}
	if err := admit(parsed.NativeRep(), source, names); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, explain(issues, names)
	}
	return checked.NativeRep(), nil
}

func callerNames() []string {
	out := make([]string, len(callerFields))
	for i, f := range callerFields {
		out[i] = "caller." + f
	}
	return out
}

// Eval returns the value of e over the record r for the caller: nil for NULL, otherwise a string, int64,
// decimal.Decimal, float64, bool, time.Time or []string. A column that a record lacks is NULL.
func (e *Expr) Eval(r, old core.Record, c core.Caller) (any, error) {
	return e.eval(&row{e: e, record: r, old: old, caller: &c})
}

// True reports whether e, a boolean, holds; NULL does not.
func (e *Expr) True(r, old core.Record, c core.Caller) (bool, error) {
	v, err := e.Eval(r, old, c)
	return v == true, err
}

func (e *Expr) eval(in *row) (any, error) {
	out, _, err := e.program.Eval(in)
	switch {
	case in.failed != nil:
		return nil, in.failed
	case err != nil && (out == nil || strings.Contains(err.Error(), "no such overload")):
		return nil, core.E("rules.Eval", core.At{Table: e.table.Name}, err)
	case err != nil: // of a value
		return nil, nil
	}
	return native(out), nil
}

// row is what an expression sees: it implements cel.Activation.
type row struct {
	e           *Expr
	record, old core.Record
	caller      *core.Caller
	moment      time.Time // of now(); taken when first asked for
	op          core.Op   // in rules: what happens to the record

	// calculate gives the value of a calculated column that a record lacks. nil where there is none.
	calculate func(record core.Record, column string) (any, error)
	failed    error
}

var _ cel.Activation = (*row)(nil)

// Parent implements cel.Activation.
func (in *row) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (in *row) ResolveName(name string) (any, bool) {
	if v, ok := in.e.vars[name]; ok {
		record := in.record
		if v.old {
			record = in.old
		}
		value, ok := record[v.column.Name]
		if !ok && v.column.Calculated() && in.calculate != nil && record != nil {
			var err error
			if value, err = in.calculate(record, v.column.Name); err != nil && in.failed == nil {
				in.failed = err
			}
		}
		return wrap(value), true
	}
	switch name {
	case "caller.user":
		return types.String(in.caller.User), true
	case "caller.unit":
		return types.String(in.caller.Unit), true
	case "caller.below":
		return newIDList(in.caller.Below), true
	case "caller.teams":
		return newIDList(in.caller.Teams), true
	case "caller.roles":
		return types.NewStringList(types.DefaultTypeAdapter, in.caller.Roles), true
	case opName:
		return types.String(in.op), true
	case nowName:
		return types.Timestamp{Time: in.now()}, true
	case todayName:
		return types.Timestamp{Time: midnight(in.now())}, true
	}
	return nil, false
}

func (in *row) now() time.Time {
	if in.moment.IsZero() {
		in.moment = time.Now().UTC().Truncate(time.Microsecond)
	}
	return in.moment
}
