package rules

import (
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

	Bases   int  // how many bases of the caller may be named: see [BasisList]
	Reports bool // [Reports] and [ReportsBelow] may be named
	Shares  bool // what is shared with the caller may be named: see [Shared]

	mask bool // see [CompileMask]
}

// Expr is a checked expression over the records of one table. It is safe for concurrent use.
type Expr struct {
	Source     string
	Type       string   // of the result, as in core.KindInfo.CEL
	Columns    []string // of the row that it reads, sorted; the lookups that lead it to other records are among them
	OldColumns []string // of the record before the change, sorted
	Reads      []Read   // every column that it reads, those of other records included, sorted
	Needs      []*Need  // what it reads of other records, which it does not find in memory
	Outside    bool     // it reads the caller or the time, too

	table      *core.Table
	env        *cel.Env
	ast        *ast.AST
	program    cel.Program
	vars       map[string]target // by name
	sharers    []sharer          // with [Options.Shares]
	aggregates map[int64]*aggregate
	needs      map[string]*Need                      // by the name that the program has for it
	overloads  map[int64]*Overload                   // by node
	constants  map[int64]func() (cel.Program, error) // by node: what does not depend on the row
	memory     string                                // why there is no SQL form; empty when there is one
	cost       cost
}

// Compile checks source against the columns of t, and of the tables of s to which its relations lead; without s it reaches
// no other records. The errors are of the kind Invalid, carry the table, the line and the character, and name what the
// author may have meant.
func Compile(s *core.Schema, t *core.Table, source string, o Options) (*Expr, error) {
	env, err := tableEnv(s, t, o)
	if err != nil {
		return nil, core.E("rules.Compile", core.At{Table: t.Name}, err)
	}
	return compile(env, t, source, o)
}

// compile is Compile in the environment of the table.
func compile(env language, t *core.Table, source string, o Options) (_ *Expr, err error) {
	defer func() { err = shown(err, source) }()
	const op = "rules.Compile"
	at := core.At{Table: t.Name}
	if len(source) > maxSource {
		return nil, core.E(op, core.Invalid, at, "the expression is too long: at most 10,000 bytes")
	}
	if strings.TrimSpace(source) == "" {
		return nil, core.E(op, core.Invalid, at, "the expression is empty")
	}
	e := &Expr{Source: source, table: t, overloads: map[int64]*Overload{}, constants: map[int64]func() (cel.Program, error){}}
	if o.Shares {
		e.sharers = sharers(env.schema, t)
	}
	if err := e.check(env.Env, &names{schema: env.schema, table: t, old: o.Old, bases: o.Bases, reports: o.Reports, shares: o.Shares, mask: o.mask}); err != nil {
		return nil, core.E(op, at, err)
	}
	if err := settle(e.ast); err != nil {
		return nil, core.E(op, at, err)
	}
	if err := e.analyse(o); err != nil {
		return nil, core.E(op, at, err)
	}
	e.findReads()
	e.Type = typeName(e.ast.GetType(e.ast.Expr().ID()))
	if celTypes[e.Type] == nil || e.Type == "json" || e.Type == "dyn" {
		return nil, core.E(op, core.Invalid, core.At{Table: t.Name, Line: 1, Pos: 1}, "the result is "+aWord(e.Type)+", and should be a text, a number, a boolean or a date")
	}
	if e.program, err = e.env.PlanProgram(e.inMemory(), cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, core.E(op, at, err)
	}
	return e, nil
}

// check parses the source, refuses what the language does not have, and checks the types.
func (e *Expr) check(env *cel.Env, n *names) error {
	parsed, issues := env.Parse(e.Source)
	if issues.Err() != nil {
		return explain(issues, n.known())
	}
	b := newBuilder(parsed.NativeRep())
	b.text = []rune(e.Source)
	if err := b.admit(b.a.Expr(), n); err != nil {
		return err
	}
	var err error
	if e.env, err = targetsEnv(env, b.targets); err != nil {
		return err
	}
	checked, issues := e.env.Check(parsed)
	if issues.Err() != nil {
		return explain(issues, n.known())
	}
	e.ast, e.vars, e.aggregates = checked.NativeRep(), b.targets, b.aggregates
	return nil
}

func callerNames() []string {
	out := make([]string, len(callerFields))
	for i, f := range callerFields {
		out[i] = "caller." + f
	}
	return out
}

// Table returns the name of the table of the record.
func (e *Expr) Table() string { return e.table.Name }

// Eval returns the value of e over the record r for the caller: nil for NULL, otherwise a string, int64,
// decimal.Decimal, float64, bool, time.Time or []string. A column that a record lacks is NULL. ask answers what e reads of
// other records; it may be nil for an expression without [Expr.Needs].
func (e *Expr) Eval(r, old core.Record, c core.Caller, ask Ask) (any, error) {
	return e.eval(&row{e: e, record: r, old: old, caller: &c, ask: ask})
}

// True reports whether e, a boolean, holds; NULL does not.
func (e *Expr) True(r, old core.Record, c core.Caller, ask Ask) (bool, error) {
	v, err := e.Eval(r, old, c, ask)
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
	ask         Ask

	// calculate gives the value of a calculated column that a record lacks. nil where there is none.
	calculate func(record core.Record, column string) (any, error)
	failed    error
}

var _ cel.Activation = (*row)(nil)

// Parent implements cel.Activation.
func (in *row) Parent() cel.Activation { return nil }

// ResolveName implements cel.Activation.
func (in *row) ResolveName(name string) (any, bool) {
	if n, ok := in.e.needs[name]; ok {
		return in.need(n), true
	}
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
	case Reports:
		return newIDList(in.caller.Reports), true
	case ReportsBelow:
		return newIDList(in.caller.ReportsBelow), true
	case "caller.roles":
		return types.NewStringList(types.DefaultTypeAdapter, in.caller.Roles), true
	case opName:
		return types.String(in.op), true
	case nowName:
		return types.Timestamp{Time: in.now()}, true
	case todayName:
		return types.Timestamp{Time: midnight(in.now())}, true
	}
	if list, ok := ofBasis(in.caller, name); ok {
		return newIDList(list), true
	}
	return nil, false
}

func (in *row) now() time.Time {
	if in.moment.IsZero() {
		in.moment = time.Now().UTC().Truncate(time.Microsecond)
	}
	return in.moment
}
