package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	unexpected = regexp.MustCompile(`^Syntax error: (?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) '(.*?)'(?: expecting.*)?$`)
)

// explain turns the first of CEL's findings into an error of ours. names are the variables, for suggestions.
func explain(issues *cel.Issues, names []string) error {
	first := issues.Errors()[0]
	return core.E("rules.Compile", core.Invalid, place(first.Location), sentence(first.Message, names))
}

func place(l common.Location) core.At {
	if l == nil || l.Line() < 1 {
		return core.At{}
	}
	return core.At{Line: l.Line(), Pos: l.Column() + 1}
}

// refuse returns an error at the node.
func refuse(a *ast.AST, e ast.Expr, message string) error {
	return core.E("rules.Compile", core.Invalid, place(a.SourceInfo().GetStartLocation(e.ID())), message)
}

func sentence(message string, names []string) string {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		return unknownName(m[1], names)
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		return mismatch(m[1], m[2])
	}
	if m := unexpected.FindStringSubmatch(message); m != nil {
		if m[1] == "<EOF>" {
			return "the expression ends too early"
		}
		return fmt.Sprintf("%q is not expected here", m[1])
	}
	message, _, _ = strings.Cut(message, "\n")
	return strings.ReplaceAll(message, "google.protobuf.Timestamp", "timestamp")
}

func unknownName(name string, names []string) string {
	switch name {
	case "null":
		return noNull
	case "old":
		return "old.<column> is the record before the change; it exists in the conditions and values of business rules, for the columns of the table"
	case "caller":
		return "caller has " + strings.Join(callerFields, ", ")
	case "has", "all", "exists", "exists_one", "map", "filter":
		return name + " works in flows only; to test a column, use isNull"
	}
	all := slices.Clone(names)
	for _, f := range Functions {
		all = append(all, f.Name)
	}
	msg := "there is no column or function " + name
	if near := core.Suggest(name, all); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return msg
}

const noNull = "there is no null: test with isNull(x), replace with coalesce(x, y)"

// mismatch explains that a function does not take the types.
func mismatch(function, types string) string {
	types = strings.ReplaceAll(strings.Trim(types, "()"), "google.protobuf.Timestamp", "timestamp")
	types = strings.ReplaceAll(types, "double", "float")
	name := strings.Trim(strings.ReplaceAll(function, "@in", "in"), "_")
	if function == "_?_:_" {
		return "the condition before ? is a boolean, and both sides of : have one type; here they are " + types
	}
	args := strings.Split(types, ", ")
	if m := strings.Split(types, ".("); len(m) == 2 {
		args = append([]string{m[0]}, strings.Split(m[1], ", ")...)
	}
	msg := name + " does not take " + strings.Join(args, ", ")
	if strings.HasPrefix(function, "_") && len(args) == 2 || function == "@in" && len(args) == 2 {
		msg = args[0] + " " + name + " " + args[1] + " does not work"
	}
	if f := index()[function]; f != nil && !strings.Contains(function, "_") && len(f.Overloads) <= 4 {
		var takes []string
		for _, o := range f.Overloads {
			before, _, _ := strings.Cut(o.Signature, ": ")
			takes = append(takes, "("+strings.ReplaceAll(strings.ReplaceAll(before, "double", "float"), "dyn", "anything")+")")
		}
		msg += "; it takes " + strings.Join(takes, " or ")
	}
	switch {
	case strings.Contains(types, "float"):
		msg += "; make a float exact with decimal(x)"
	case slices.Contains(args, "timestamp"):
		msg += "; move a date with addDays, compare it with date('2024-12-31')"
	case strings.Contains(types, "string") && (strings.Contains(types, "int") || strings.Contains(types, "decimal")):
		msg += "; convert with string(x), int(x) or decimal(x)"
	case strings.Contains(types, "json"):
		msg += "; a JSON column can only be tested with isNull"
	}
	return msg
}
