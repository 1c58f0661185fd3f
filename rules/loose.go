package rules

import (
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// orNullName is a function that no source can spell.
const orNullName = "@or_null"

// looseName is the name of an operator of [loose].
func looseName(operator string) string { return "@" + operator }

// loose are the operators that take any two numbers. Other values they leave to CEL.
var loose = map[string]func(a, b ref.Val) ref.Val{
	operators.Add: exact(operators.Add, func(a, b ref.Val) ref.Val {
		if x, ok := a.(traits.Adder); ok {
			return x.Add(b)
		}
		return types.MaybeNoSuchOverloadErr(a)
	}),
	operators.Subtract: exact(operators.Subtract, func(a, b ref.Val) ref.Val {
		if x, ok := a.(traits.Subtractor); ok {
			return x.Subtract(b)
		}
		return types.MaybeNoSuchOverloadErr(a)
	}),
	operators.Multiply: exact(operators.Multiply, func(a, b ref.Val) ref.Val {
		if x, ok := a.(traits.Multiplier); ok {
			return x.Multiply(b)
		}
		return types.MaybeNoSuchOverloadErr(a)
	}),
	operators.Divide: exact(operators.Divide, func(a, b ref.Val) ref.Val {
		if x, ok := a.(traits.Divider); ok {
			return x.Divide(b)
		}
		return types.MaybeNoSuchOverloadErr(a)
	}),
	operators.Less:          looseOrder(func(c types.Int) bool { return c < 0 }),
	operators.LessEquals:    looseOrder(func(c types.Int) bool { return c <= 0 }),
	operators.Greater:       looseOrder(func(c types.Int) bool { return c > 0 }),
	operators.GreaterEquals: looseOrder(func(c types.Int) bool { return c >= 0 }),
	operators.Equals:        equal,
	operators.In:            contains,
}

// contains reports whether a list has a value, or a map a key.
func contains(v, in ref.Val) ref.Val {
	list, ok := in.(traits.Lister)
	if _, number := toDecimal(v); !ok || !number {
		c, ok := in.(traits.Container)
		if !ok {
			return types.MaybeNoSuchOverloadErr(in)
		}
		return c.Contains(v)
	}
	for it := list.Iterator(); it.HasNext() == types.True; {
		if equal(v, it.Next()) == types.True {
			return types.True
		}
	}
	return types.False
}

// exact computes with times of ours, and with decimals where one of the numbers is one, or where they are of two types.
func exact(operator string, otherwise func(a, b ref.Val) ref.Val) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		if f := clockwork[operator]; f != nil && (keepsTime(a) || keepsTime(b)) {
			return f(a, b)
		}
		if a.Type() == b.Type() && a.Type() != decimalType {
			return otherwise(a, b)
		}
		_, ok := toDecimal(a)
		_, ok2 := toDecimal(b)
		if !ok || !ok2 {
			return otherwise(a, b)
		}
		return exactly[operator](a, b)
	}
}

// exactly are the operators of decimals.
var exactly = func() map[string]func(a, b ref.Val) ref.Val {
	out := map[string]func(a, b ref.Val) ref.Val{}
	for _, row := range operatorTable {
		for _, o := range row.Overloads {
			if f, ok := o.call.(func(a, b ref.Val) ref.Val); ok && o.Signature == "decimal, decimal: decimal" {
				out[row.Name] = f
			}
		}
	}
	return out
}()

func looseOrder(holds func(types.Int) bool) func(a, b ref.Val) ref.Val {
	return func(a, b ref.Val) ref.Val {
		if c, ok := compare(a, b); ok {
			return types.Bool(holds(types.Int(c)))
		}
		x, ok := a.(traits.Comparer)
		if !ok {
			return types.MaybeNoSuchOverloadErr(a)
		}
		c := x.Compare(b)
		if c, ok := c.(types.Int); ok {
			return types.Bool(holds(c))
		}
		return c
	}
}

// equal compares any two values; numbers of any types by value.
func equal(a, b ref.Val) ref.Val {
	if _, ok := a.(dec); !ok {
		a, b = b, a
	}
	return types.Equal(a, b)
}

// orNull lets a list or map hold a NULL, which would otherwise make all of it unknown.
func orNull(v ref.Val) ref.Val {
	if types.IsUnknown(v) {
		return types.NullValue
	}
	return v
}
