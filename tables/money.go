package tables

import (
	"context"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// money is what turns amounts into the base currency of the organisation. It belongs to a snapshot and never changes: who
// changes the base currency or a rate makes another version of the policy, so that no write mixes old and new.
type money struct {
	base  string            // the base currency; "" when none is set
	rates map[string][]rate // by currency, the earliest first; none that another has followed
}

// rate is what one unit of a currency is worth in the base currency from a day on.
type rate struct {
	from  time.Time
	value decimal.Decimal
}

const exchangeRates = "_exchange_rate"

// exchangeRate is the table of the rates.
func exchangeRate() core.Table {
	return core.Table{
		Name: exchangeRates, Label: "Exchange rate", Doc: "What one unit of a currency is worth in another, from a day on.", Ownership: core.OrgOwned, Builtin: true,
		Columns: []core.Column{
			{Name: "id", Kind: core.UUID, Required: true, System: true}, {Name: "currency", Kind: core.Text, Required: true, Doc: "The currency that has the rate."},
			{Name: "base", Kind: core.Text, Required: true, Doc: "The currency that the rate is in."}, {Name: "valid_from", Kind: core.Date, Required: true, Doc: "The first day of the rate, in UTC."},
			{Name: "rate", Kind: core.Decimal, Precision: rateDigits, Scale: rateScale, Required: true, Doc: "What one unit of the currency is worth."},
			{Name: "created_at", Kind: core.Timestamp, Required: true}, {Name: "created_by", Kind: core.UUID, Required: true},
		},
	}
}

// The digits of a rate.
const (
	rateDigits = 30
	rateScale  = 12
)

// readMoney reads the base currency, and the rates that hold or will hold at the moment.
func readMoney(ctx context.Context, tx *db.Tx, now time.Time) (*money, error) {
	m := &money{rates: map[string][]rate{}}
	b := db.New(tx.Dialect).Write(`SELECT value FROM "_meta" WHERE key = 'base_currency'`)
	if err := tx.Query(ctx, b, func(scan func(...any) error) error { return scan(&m.base) }); err != nil {
		return nil, err
	}
	if m.base == "" {
		return m, nil
	}
	day := core.Column{Kind: core.Date}
	b = db.New(tx.Dialect).Write(`SELECT r.currency, CAST(r.valid_from AS text), CAST(r.rate AS text) FROM "_exchange_rate" AS r WHERE r.base = `).Arg(m.base).
		Write(` AND NOT EXISTS (SELECT 1 FROM "_exchange_rate" AS n WHERE n.base = r.base AND n.currency = r.currency AND n.valid_from > r.valid_from AND n.valid_from <= `).Value(&day, now).
		Write(") ORDER BY r.currency, r.valid_from")
	err := tx.Query(ctx, b, func(scan func(...any) error) error {
		var currency, from, value string
		if err := scan(&currency, &from, &value); err != nil {
			return err
		}
		r := rate{}
		var err error
		if r.from, err = time.Parse(time.DateOnly, from); err != nil {
			return err
		}
		if r.value, err = decimal.NewFromString(value); err != nil {
			return err
		}
		m.rates[currency] = append(m.rates[currency], r)
		return nil
	})
	return m, err
}

// at returns the rate of the currency at a moment; false when there is none.
func (m *money) at(currency string, moment time.Time) (rate, bool) {
	if currency == m.base {
		return rate{value: decimal.NewFromInt(1)}, true
	}
	var found rate
	ok := false
	for _, r := range m.rates[currency] {
		if !r.from.After(moment) {
			found, ok = r, true
		}
	}
	return found, ok
}

// worth returns the rate of the moment and what the amount is worth in the base currency, rounded to the digits of that.
func (m *money) worth(amount decimal.Decimal, currency string, moment time.Time) (value, base decimal.Decimal, err error) {
	const op = "tables.worth"
	r, ok := m.at(currency, moment)
	if !ok {
		return value, base, core.E(op, core.Invalid, fmt.Sprintf("there is no exchange rate from %s to the base currency %s that is valid today: add one with put_exchange_rates", currency, m.base))
	}
	digits, _ := core.CurrencyDigits(m.base)
	base, err = amountOf(core.RoundTo(amount.Mul(r.value), digits))
	return r.value, base, err
}

// amountOf refuses an amount with more digits than a column keeps.
func amountOf(d decimal.Decimal) (decimal.Decimal, error) {
	c := core.Column{Kind: core.Currency}
	if _, err := c.Parse(d); err != nil {
		return d, core.E("tables.amountOf", core.Invalid, "in the base currency "+core.AsError(err).Msg)
	}
	return d, nil
}

// newMoney completes the currencies of a new record.
func (w *writer) newMoney(next core.Record) error {
	for _, m := range w.monies {
		if next[m.Amount.Name] != nil && next[m.Code.Name] == nil {
			if w.tx.snap.money.base == "" {
				return core.E("tables.newMoney", core.Invalid, w.at(m.Code.Name), "say which currency: there is no base currency, which set_base_currency sets")
			}
			next[m.Code.Name] = w.tx.snap.money.base
		}
		if err := w.value(m, nil, next); err != nil {
			return err
		}
	}
	return nil
}

// changedMoney completes the currencies of a record that changes: those that the change is about are worth what they are
// worth now, and the others stay as they are.
func (w *writer) changedMoney(in input, old, next core.Record) error {
	for _, m := range w.monies {
		if equal(old[m.Amount.Name], next[m.Amount.Name]) && equal(old[m.Code.Name], next[m.Code.Name]) {
			next[m.Rate.Name], next[m.Base.Name] = old[m.Rate.Name], old[m.Base.Name]
			continue
		}
		_, amount := in.values[m.Amount.Name]
		_, code := in.values[m.Code.Name]
		if code && !amount && old[m.Amount.Name] != nil {
			if err := w.mayRead(m.Amount, "give another currency to", old); err != nil {
				return err
			}
		}
		if next[m.Amount.Name] != nil && next[m.Code.Name] == nil && old[m.Code.Name] == nil && w.tx.snap.money.base != "" {
			next[m.Code.Name] = w.tx.snap.money.base
		}
		if err := w.value(m, old, next); err != nil {
			if !code && old[m.Code.Name] != nil && w.mayRead(m.Code, "write an amount in", old) != nil {
				return core.E("tables.changedMoney", core.Invalid, w.at(m.Amount.Name), "the amount does not go with the currency that the record has: write both")
			}
			return err
		}
	}
	return nil
}

// mayRead checks that a caller who writes one part of a currency may read the other one: whether they fit tells of it.
func (w *writer) mayRead(c *core.Column, verb string, old core.Record) error {
	read, err := w.readable(c, verb)
	if err == nil && read != nil {
		var ok bool
		if ok, err = w.holds(read.holds, old); err == nil && !ok {
			err = core.E("tables.mayRead", core.Denied, w.at(c.Name), "you may not read this column in this record: write the amount and the currency together")
		}
	}
	return err
}

// value computes the rate and the base amount. A record without an amount has no currency either.
func (w *writer) value(m core.Money, old, next core.Record) error {
	const op = "tables.value"
	code, _ := next[m.Code.Name].(string)
	amount, ok := next[m.Amount.Name].(decimal.Decimal)
	if !ok {
		if code != "" && (old == nil || old[m.Code.Name] != next[m.Code.Name]) {
			return core.E(op, core.Invalid, w.at(m.Code.Name), "there is a currency, and no amount: write both, or neither")
		}
		next[m.Code.Name], next[m.Rate.Name], next[m.Base.Name] = nil, nil, nil
		return nil
	}
	if code == "" {
		return core.E(op, core.Invalid, w.at(m.Code.Name), "an amount has a currency: write both, or neither")
	}
	amount, problem := core.InCurrency(amount, code)
	if problem != "" {
		return core.E(op, core.Invalid, w.at(m.Amount.Name), problem)
	}
	next[m.Amount.Name] = amount
	if w.tx.snap.money.base == "" {
		next[m.Rate.Name], next[m.Base.Name] = nil, nil
		return nil
	}
	value, base, err := w.tx.snap.money.worth(amount, code, w.tx.now)
	if err != nil {
		return core.E(op, w.at(m.Amount.Name), err)
	}
	next[m.Rate.Name], next[m.Base.Name] = value, base
	return nil
}

// recompute gives the records of the table, or of all tables when it is empty, the base amounts of now. It is about records,
// not about what rules say of writers, and returns how many of each table are different now.
func (tx *Tx) recompute(ctx context.Context, table string) (map[string]int, error) {
	out := map[string]int{}
	for _, t := range tx.snap.Schema.Tables() {
		if t.Builtin || len(t.Monies()) == 0 || table != "" && t.Name != table {
			continue
		}
		w := newWriter(tx, t, because(core.CallerFrom(ctx), "recompute", ""))
		w.defined, w.unruled = true, true
		n, err := w.recompute(ctx)
		if err != nil {
			return nil, core.E("tables.recompute", core.At{Table: t.Name}, err)
		}
		out[t.Name] = n
	}
	return out, nil
}

func (w *writer) recompute(ctx context.Context) (n int, err error) {
	for last := any(nil); ; {
		page, err := w.tx.page(ctx, w.table, last)
		if err != nil || len(page) == 0 {
			return n, err
		}
		last = page[len(page)-1]
		old, err := w.tx.records(ctx, w.table.Name, "", Compare{Column: "id", Op: In, Value: page}, true)
		if err != nil {
			return n, err
		}
		for _, r := range old {
			changed, err := w.revalue(r)
			if err != nil {
				return n, err
			}
			if changed {
				n++
			}
		}
		if err := w.flush(ctx); err != nil {
			return n, err
		}
	}
}

// revalue gives a record the base amounts of now.
func (w *writer) revalue(old core.Record) (bool, error) {
	next := old.Clone()
	for _, m := range w.monies {
		if err := w.value(m, old, next); err != nil {
			return false, err
		}
	}
	if w.same(old, next) {
		return false, nil
	}
	w.touch(next, old)
	w.batch = append(w.batch, change{op: core.Update, before: old, after: next})
	return true, nil
}

// page returns the ids of the next records of the table, in their order.
func (tx *Tx) page(ctx context.Context, t *core.Table, after any) ([]any, error) {
	id, _ := t.Column("id")
	b := db.New(tx.db.Dialect).Write("SELECT id FROM ").Name(t.SQL())
	if after != nil {
		b.Write(" WHERE id > ").Value(id, after)
	}
	return queryKeys(ctx, tx.db, b.Write(fmt.Sprintf(" ORDER BY id LIMIT %d", convertPage)))
}
