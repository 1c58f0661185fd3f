package graphql

import (
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	vcore "github.com/vektah/gqlparser/v2/validator/core"
)

// maxNamed is how many names an error lists, in place of one that is like none of them.
const maxNamed = 10

// valuesOfCorrectType is the rule of that name. The library's own refuses what holds an exact number longer than its
// integers. Scalars of the API are left to their coercion, which names the place of a mistake better.
func valuesOfCorrectType(suggesting bool) vcore.Rule {
	near := func(s string, have func(yield func(string))) string {
		if !suggesting {
			return "."
		}
		var all []string
		have(func(s string) { all = append(all, s) })
		if found := suggest(s, all); found != "" {
			return found
		}
		if len(all) <= maxNamed {
			return "; there are: " + strings.Join(all, ", ") + "."
		}
		return "."
	}
	return vcore.Rule{Name: "ValuesOfCorrectType", RuleFunc: func(observers *vcore.Events, addError vcore.AddErrFunc) {
		observers.OnValue(func(_ *vcore.Walker, v *ast.Value) {
			d := v.Definition
			if d == nil || v.ExpectedType == nil || v.Kind == ast.Variable {
				return
			}
			fail := func(p *ast.Position, format string, args ...any) {
				addError(vcore.Message(format, args...), vcore.At(p))
			}
			if v.Kind == ast.NullValue {
				if v.ExpectedType.NonNull {
					fail(v.Position, "Expected value of type %q, found null.", v.ExpectedType)
				}
				return
			}
			if v.Kind == ast.ListValue && v.ExpectedType.Elem != nil {
				return // each item is looked at
			}
			switch d.Kind {
			case ast.Scalar:
				if d.BuiltIn {
					if problem := scalarProblem(d.Name, v); problem != "" {
						fail(v.Position, "%s", problem)
					}
				}
			case ast.Enum:
				if v.Kind != ast.EnumValue {
					fail(v.Position, "Enum %q cannot represent non-enum value: %s.", d.Name, cut(v.String()))
				} else if d.EnumValues.ForName(v.Raw) == nil {
					fail(v.Position, "Value %q does not exist in %q enum%s", v.Raw, d.Name, near(v.Raw, func(yield func(string)) {
						for _, e := range d.EnumValues {
							yield(e.Name)
						}
					}))
				}
			case ast.InputObject:
				if v.Kind != ast.ObjectValue {
					fail(v.Position, "Expected value of type %q, found %s.", v.ExpectedType, cut(v.String()))
					return
				}
				for _, f := range d.Fields {
					if f.Type.NonNull && f.DefaultValue == nil && child(v, f.Name) == nil {
						fail(v.Position, "Field %q of required type %q was not provided.", d.Name+"."+f.Name, f.Type)
					}
				}
				for _, c := range v.Children {
					if d.Fields.ForName(c.Name) == nil {
						fail(c.Position, "Field %q is not defined by type %q%s", c.Name, d.Name, near(c.Name, func(yield func(string)) {
							for _, f := range d.Fields {
								yield(f.Name)
							}
						}))
					}
				}
			}
		})
	}}
}

// scalarProblem says what is wrong with a literal of a scalar of the specification.
func scalarProblem(scalar string, v *ast.Value) string {
	s, ok := scalars[scalar]
	if !ok {
		return ""
	}
	if v.Kind == ast.ListValue || v.Kind == ast.ObjectValue {
		return scalar + " cannot represent " + cut(v.String())
	}
	raw, err := literal(v, variables{})
	if err != nil {
		return err.Error()
	}
	_, problem := s.parse(raw)
	return problem
}
