package flows

import (
	"context"
	"encoding/json"
	"math/big"
	"slices"

	"github.com/shopspring/decimal"
)

// choose runs the first case of a switch that stands for the value, or the default. The mark keeps which: a run that resumes does not
// choose anew.
func (in *interpreter) choose(ctx context.Context, st *step, m *mark, it iteration, last bool) error {
	at := -1
	if m.status == succeeded {
		if err := in.s.recall(ctx, m, &at); err != nil {
			return err
		}
	} else {
		v, err := in.eval(st.cond)
		if d, ok := v.(decimal.Decimal); ok {
			v = json.Number(d.String()) // which is a text in JSON
		} else if err == nil {
			v, err = plain(v)
		}
		if err != nil {
			return in.stop(ctx, st, m, err)
		}
		at = slices.IndexFunc(st.cases, func(c oneOf) bool { return c.holds(v) })
		if err := in.pure(ctx, m, nil, at+1); err != nil {
			return err
		}
		at++
	}
	if at > 0 {
		return in.list(ctx, st.cases[at-1].steps, it, last)
	}
	return in.list(ctx, st.els, it, last)
}

// holds reports whether the case stands for the value, which has the forms of JSON.
func (c oneOf) holds(v any) bool {
	return slices.ContainsFunc(c.when, func(w *value) bool { return same(w.literal, v) })
}

// same reports whether two values of JSON without members are equal: numbers by what they are worth.
func same(a, b any) bool {
	x, ok := a.(json.Number)
	y, also := b.(json.Number)
	if !ok || !also {
		switch b.(type) {
		case []any, map[string]any:
			return false
		}
		return !ok && !also && a == b
	}
	p, ok := new(big.Rat).SetString(x.String())
	q, also := new(big.Rat).SetString(y.String())
	return ok && also && p.Cmp(q) == 0
}

// plain is v as a run that resumes would see it: as JSON.
func plain(v any) (out any, err error) {
	raw, err := toJSON(v)
	if err != nil {
		return nil, err
	}
	return out, unmarshal(raw, &out)
}
