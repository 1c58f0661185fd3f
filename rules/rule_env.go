package rules

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"colonnade/core"
)

// opName is the variable that isCreate(), isUpdate() and isDelete() read; no source can spell it.
const opName = "@op"

// ruleWords are what rules have besides the columns: changed(x), isCreate(), isUpdate() and isDelete().
func ruleWords(o Options) []cel.EnvOption {
	macros := []cel.Macro{parser.NewGlobalMacro("changed", 1, changed)}
	for name, op := range map[string]core.Op{"isCreate": core.Create, "isUpdate": core.Update, "isDelete": core.Delete} {
		macros = append(macros, parser.NewGlobalMacro(name, 0, func(eh parser.ExprHelper, _ ast.Expr, _ []ast.Expr) (ast.Expr, *common.Error) {
			if o.Unchanged {
				return eh.NewLiteral(types.Bool(op == core.Update)), nil
			}
			return eh.NewCall(operators.Equals, eh.NewIdent(opName), eh.NewLiteral(types.String(op))), nil
		}))
	}
	return []cel.EnvOption{cel.Macros(macros...), cel.Variable(opName, cel.StringType)}
}

// changed makes of changed(x) the question whether x, a column, is another value than old.x. It is never NULL: from nothing to
// something is a change, and so is the way back.
func changed(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	if args[0].Kind() != ast.IdentKind {
		return nil, eh.NewError(args[0].ID(), "changed takes a column, such as changed(price)")
	}
	name := args[0].AsIdent()
	now := func() ast.Expr { return eh.NewIdent(name) }
	before := func() ast.Expr { return eh.NewSelect(eh.NewIdent(oldPrefix[:len(oldPrefix)-1]), name) }
	empty := func(x ast.Expr) ast.Expr { return eh.NewCall("isNull", x) }
	return eh.NewCall(operators.LogicalOr,
		eh.NewCall(operators.NotEquals, empty(now()), empty(before())),
		eh.NewCall("coalesce", eh.NewCall(operators.NotEquals, now(), before()), eh.NewLiteral(types.False))), nil
}
