package sqlite

import (
	"database/sql/driver"
	"errors"
	"math"
	"math/big"

	"modernc.org/sqlite"
)

// spreads are the functions that say how far values lie apart: of decimals and whole numbers exactly until the last step, of floats
// as PostgreSQL does it.
var spreads = map[string]struct{ sample, root bool }{
	"var_pop": {}, "var_samp": {sample: true}, "stddev_pop": {root: true}, "stddev_samp": {sample: true, root: true},
}

func registerSpreads() error {
	for name, f := range spreads {
		for prefix, make := range map[string]func() sqlite.AggregateFunction{
			"decimal_": func() sqlite.AggregateFunction { return &exactSpread{sample: f.sample, root: f.root} },
			"float_":   func() sqlite.AggregateFunction { return &floatSpread{sample: f.sample, root: f.root} },
		} {
			err := sqlite.RegisterFunction(prefix+name, &sqlite.FunctionImpl{
				NArgs: 1, Deterministic: true,
				MakeAggregate: func(sqlite.FunctionContext) (sqlite.AggregateFunction, error) { return make(), nil },
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// exactSpread sums values and their squares.
type exactSpread struct {
	sample, root bool
	sum, squares total
}

// Step implements sqlite.AggregateFunction.
func (s *exactSpread) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	s.add(args[0], 1)
	return nil
}

// WindowInverse implements sqlite.AggregateFunction.
func (s *exactSpread) WindowInverse(_ *sqlite.FunctionContext, args []driver.Value) error {
	s.add(args[0], -1)
	return nil
}

func (s *exactSpread) add(v driver.Value, sign int64) {
	s.sum.add(v, sign)
	if text, ok := v.(string); ok {
		if n, scale, ok := smallDecimal(text); ok && n > math.MinInt32 && n < math.MaxInt32 && s.squares.addSmall(sign*n*n, 2*scale) {
			return
		}
	}
	if d, ok := parseDecimal(v); ok {
		d = d.Mul(d)
		if sign < 0 {
			d = d.Neg()
		}
		s.squares.large = s.squares.large.Add(d)
	}
}

// WindowValue implements sqlite.AggregateFunction: the nearest double.
func (s *exactSpread) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	n := s.sum.count
	by := n
	if s.sample {
		by--
	}
	if by <= 0 {
		return nil, nil
	}
	sum := s.sum.exact()
	r := new(big.Rat).Mul(s.squares.exact().Rat(), new(big.Rat).SetInt64(n))
	r.Sub(r, sum.Mul(sum).Rat())
	r.Quo(r, new(big.Rat).Mul(new(big.Rat).SetInt64(n), new(big.Rat).SetInt64(by)))
	if !s.root {
		f, _ := r.Float64()
		return f, nil
	}
	const bits = 300 // enough for the nearest double
	f, _ := new(big.Float).SetPrec(bits).Sqrt(new(big.Float).SetPrec(bits).SetRat(r)).Float64()
	return f, nil
}

// Final implements sqlite.AggregateFunction.
func (s *exactSpread) Final(*sqlite.FunctionContext) {}

// floatSpread is the algorithm of Youngs and Cramer ("Some Results Relevant to Choice of Sum and Sum-of-Product Algorithms", 1971), which
// PostgreSQL uses.
type floatSpread struct {
	sample, root bool
	n            float64
	sum, squares float64 // squares of the differences to the mean
}

// Step implements sqlite.AggregateFunction.
func (s *floatSpread) Step(_ *sqlite.FunctionContext, args []driver.Value) error {
	var x float64
	switch v := args[0].(type) {
	case float64:
		x = v
	case int64:
		x = float64(v)
	default:
		return nil
	}
	s.n++
	s.sum += x
	if s.n > 1 {
		d := x*s.n - s.sum
		s.squares += d * d / (s.n * (s.n - 1))
	}
	return nil
}

// WindowInverse implements sqlite.AggregateFunction: what was added cannot be taken away without a loss.
func (s *floatSpread) WindowInverse(*sqlite.FunctionContext, []driver.Value) error {
	return errors.New("the spread of floats is no function of windows that move")
}

// WindowValue implements sqlite.AggregateFunction. What is too large is infinite.
func (s *floatSpread) WindowValue(*sqlite.FunctionContext) (driver.Value, error) {
	by := s.n
	if s.sample {
		by--
	}
	if by <= 0 {
		return nil, nil
	}
	v := s.squares / by
	if s.root {
		v = math.Sqrt(v)
	}
	if math.IsNaN(v) {
		v = math.Inf(1)
	}
	return v, nil
}

// Final implements sqlite.AggregateFunction.
func (s *floatSpread) Final(*sqlite.FunctionContext) {}
