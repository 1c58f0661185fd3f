package tables

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// begin checks what a new record has chosen: nothing that is retired, and a status with which a record may begin.
// Records that are taken over as they are may have any.
func (w *writer) begin(r core.Record) error {
	if w.asIs {
		return nil
	}
	for _, c := range w.stored {
		if c.Kind == core.Status {
			if v := r[c.Name].(string); !slices.Contains(c.Initials(), v) {
				return core.E("tables.begin", core.Invalid, w.at(c.Name), fmt.Sprintf("a record does not begin with %s: choose %s", v, oneOf(c.Initials())))
			}
			continue
		}
		if err := w.chosen(c, nil, r[c.Name]); err != nil {
			return err
		}
	}
	return nil
}

// follow checks what a change chooses: nothing that is retired, and a status that may follow the one before.
func (w *writer) follow(old, next core.Record) error {
	if w.asIs {
		return nil
	}
	for _, c := range w.stored {
		if c.Kind == core.Status {
			if err := w.transition(c, old, next); err != nil {
				return err
			}
			continue
		}
		if err := w.chosen(c, old[c.Name], next[c.Name]); err != nil {
			return err
		}
	}
	return nil
}

// chosen checks that no value that is new is retired.
func (w *writer) chosen(c *core.Column, before, after any) error {
	var had, has []string
	switch c.Kind {
	case core.Choice:
		if s, ok := before.(string); ok {
			had = []string{s}
		}
		if s, ok := after.(string); ok {
			has = []string{s}
		}
	case core.Choices:
		had, _ = before.([]string)
		has, _ = after.([]string)
	default:
		return nil
	}
	for _, v := range has {
		if o, ok := c.Option(v); ok && o.Retired && !slices.Contains(had, v) {
			return core.E("tables.chosen", core.Invalid, w.at(c.Name), fmt.Sprintf("%s is retired: records that have it keep it, and no other takes it", v))
		}
	}
	return nil
}

func (w *writer) transition(c *core.Column, old, next core.Record) error {
	from, _ := old[c.Name].(string)
	to, _ := next[c.Name].(string)
	allowed := c.Next(from)
	if from == to || slices.Contains(allowed, to) {
		return nil
	}
	const op = "tables.transition"
	guard, err := w.readable(c, "move")
	if err == nil && guard != nil {
		var ok bool
		if ok, err = w.holds(guard.holds, old); err == nil && !ok {
			err = core.E(op, core.Denied, "the status is hidden")
		}
	}
	if err != nil { // what may follow tells what is there
		return core.E(op, core.Invalid, w.at(c.Name), fmt.Sprintf("%s cannot follow the present value", to))
	}
	if len(allowed) == 0 {
		return core.E(op, core.Invalid, w.at(c.Name), fmt.Sprintf("%s cannot follow %s, after which nothing follows", to, from))
	}
	return core.E(op, core.Invalid, w.at(c.Name), fmt.Sprintf("%s cannot follow %s: choose %s", to, from, oneOf(allowed)))
}

func oneOf(values []string) string {
	if n := len(values) - 1; n > 0 {
		return strings.Join(values[:n], ", ") + " or " + values[n]
	}
	return strings.Join(values, "")
}
