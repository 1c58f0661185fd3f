package oracle

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// A maker makes random cases.
type maker struct {
	*rand.Rand
	theme *theme
}

func (m maker) chance(p float64) bool { return m.Float64() < p }

func choose[T any](m maker, of ...T) T { return of[m.IntN(len(of))] }

func subset[T any](m maker, of []T, p float64) []T {
	return slices.DeleteFunc(slices.Clone(of), func(T) bool { return !m.chance(p) })
}

// any returns a random value of the column, from few, so that they meet.
func (m maker) any(c *core.Column) any {
	switch c.Kind {
	case core.Text, core.LongText:
		return choose(m, m.theme.words...)
	case core.Integer:
		return int64(m.IntN(6) - 1)
	case core.Decimal:
		return decimal.New(int64(choose(m, 0, 50, 100, 150, 1000, -250)), -2)
	case core.Float:
		return choose[any](m, 0.0, 0.25, 1.5, 2.0, -3.0)
	case core.Boolean:
		return m.chance(0.5)
	case core.Date:
		return time.Date(2024, 2, 27+m.IntN(4), 0, 0, 0, 0, time.UTC)
	case core.Timestamp:
		return time.Date(2024, 2, 28, 12, m.IntN(3), 0, 1000*m.IntN(2), time.UTC)
	case core.DateTime:
		return core.CivilTimeOf(time.Date(2024, 2, 28, 12, m.IntN(3), 0, 1000*m.IntN(2), time.UTC))
	case core.Duration:
		return choose[any](m, core.Span(0), core.Hour, 90*core.Minute, -core.Second, core.Day, core.Microsecond)
	case core.UUID:
		return fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", m.IntN(4))
	case core.Autonumber:
		return fmt.Sprintf("N%04d", m.IntN(10000))
	case core.Choice, core.Status:
		return choose(m, c.Options...).Value
	case core.Choices:
		var out []string
		for _, o := range append(subset(m, c.Options, 0.4), choose(m, c.Options...)) {
			out = append(out, o.Value)
		}
		slices.Sort(out)
		return slices.Compact(out)
	case core.JSON:
		return choose[any](m, json.RawMessage(`{"a":1}`), json.RawMessage(`[1,"x"]`), json.RawMessage(`"t"`))
	}
	panic(c.Kind)
}
