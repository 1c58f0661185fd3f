package rules

import (
	"fmt"
	"slices"

	"colonnade/core"
	"colonnade/core/formula"
)

// CompilePeriod returns the expression of when the period began that a time is in, for [Expr.MaskSQL] over values like those of the
// column: a year, quarter, month, week, day or hour, by the calendar and the clocks of the time zone; "" is UTC. What clocks show
// twice is one hour.
func CompilePeriod(c *core.Column, period, zone string) (*Expr, error) {
	const op = "rules.CompilePeriod"
	switch {
	case c.Kind != core.Date && c.Kind != core.Timestamp && c.Kind != core.DateTime:
		return nil, core.E(op, core.Invalid, fmt.Sprintf("a %s is no time, and has no periods", c.Kind))
	case period == "":
		return nil, core.E(op, core.Invalid, "a time zone needs a period: year, quarter, month, week, day or hour")
	case !slices.Contains(formula.Periods, period):
		return nil, core.E(op, core.Invalid, fmt.Sprintf("%q is no period", period))
	case c.Kind == core.Date && period == "hour":
		return nil, core.E(op, core.Invalid, "a date has no hours")
	case zone != "" && c.Kind != core.Timestamp:
		return nil, core.E(op, core.Invalid, fmt.Sprintf("a %s is the same in all time zones: leave the zone out", c.Kind))
	}
	source := fmt.Sprintf("startOf(%s, '%s')", core.MaskValue, period)
	if zone != "" {
		if err := checkZone(zone); err != nil {
			return nil, core.E(op, core.Invalid, err.Error())
		}
		source = fmt.Sprintf("startOf(%s, '%s', '%s')", core.MaskValue, period, zone)
	}
	e, err := Compile(nil, (&core.Table{}).Masking(c), source, Options{mask: true})
	return e, core.E(op, err)
}
