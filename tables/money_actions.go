package tables

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
	"colonnade/core/db"
)

// manageCurrencies is the right to set the base currency and the rates.
const manageCurrencies = "manage_currencies"

// moneyActions returns the actions of currencies and exchange rates.
func (s *Store) moneyActions() []core.Action {
	return []core.Action{s.listCurrencies(), s.setBaseCurrency(), s.putExchangeRates(), s.dropExchangeRate(), s.recomputeBaseAmounts()}
}

var currencyInput = core.Column{Name: "currency", Kind: core.Text, Doc: "A code of ISO 4217, such as EUR."}

var recomputedOutput = core.Column{Name: "recomputed", Kind: core.Object, List: true, Doc: "How many records have other base amounts now.", Fields: []core.Column{
	text("table", "The table."), {Name: "records", Kind: core.Integer},
}}

func recomputed(s *core.Schema, counts map[string]int) []any {
	out := []any{}
	for _, t := range s.Tables() {
		if n, ok := counts[t.Name]; ok {
			out = append(out, map[string]any{"table": t.Name, "records": int64(n)})
		}
	}
	return out
}

func (s *Store) listCurrencies() core.Action {
	return core.Action{
		Name: "list_currencies", Doc: "Lists the currencies, with the rates that are valid today: for forms.",
		Output: []core.Column{
			text("base", "The base currency; null when none is set."),
			{Name: "currencies", Kind: core.Object, List: true, Fields: []core.Column{
				text("currency", "The code of ISO 4217."), {Name: "digits", Kind: core.Integer, Doc: "Of an amount, after the point."},
				{Name: "rate", Kind: core.Decimal, Doc: "What one unit is worth in the base currency; null when there is no rate."}, {Name: "valid_from", Kind: core.Date, Doc: "Since when."},
			}},
		},
		Examples: []core.Example{{Doc: "All of them.", In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			snap, now := s.Snapshot(), time.Now()
			if tx := s.txFrom(ctx); tx != nil {
				snap, now = tx.snap, tx.now
			}
			list := []any{}
			for _, code := range core.Currencies() {
				digits, _ := core.CurrencyDigits(code)
				one := map[string]any{"currency": code, "digits": int64(digits), "rate": nil, "valid_from": nil}
				if r, ok := snap.money.at(code, now); ok {
					if one["rate"] = r.value; !r.from.IsZero() {
						one["valid_from"] = r.from
					}
				}
				list = append(list, one)
			}
			return core.Record{"base": orNull(snap.money.base), "currencies": list}, nil
		},
	}
}

// money returns an action that changes the base currency or the rates: in a unit of work, by a caller who has the right.
func (s *Store) money(name, doc string, input, output []core.Column, example core.Example, run func(context.Context, *Tx, core.Record) (core.Record, error)) core.Action {
	return core.Action{
		Name: name, Doc: doc, Input: input, Output: output, Privilege: manageCurrencies, Define: true, Examples: []core.Example{example},
		Run: func(ctx context.Context, c core.Call) (out core.Record, err error) {
			err = s.Tx(ctx, TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
				if err := tx.snap.Policy.May(core.CallerFrom(ctx), manageCurrencies); err != nil {
					return err
				}
				out, err = run(ctx, tx, c.In)
				return tx.keep(err)
			})
			return out, core.E("tables."+name, err)
		},
	}
}

func (s *Store) setBaseCurrency() core.Action {
	return s.money("set_base_currency", "Sets the currency in which all amounts are worth something, and computes their base amounts anew, in one transaction. "+
		"Before, put the exchange rates of the currencies in use to it.",
		[]core.Column{required(currencyInput)}, []core.Column{recomputedOutput}, core.Example{In: core.Record{"currency": "EUR"}},
		func(ctx context.Context, tx *Tx, in core.Record) (core.Record, error) {
			counts, err := tx.setBase(ctx, in["currency"].(string))
			return core.Record{"recomputed": recomputed(tx.snap.Schema, counts)}, err
		})
}

// setBase sets the base currency and computes all base amounts anew.
func (tx *Tx) setBase(ctx context.Context, currency string) (map[string]int, error) {
	currency, err := core.ParseCurrency(currency)
	if err != nil || currency == tx.snap.money.base {
		return nil, err
	}
	err = tx.ChangePolicy(ctx, func() error {
		_, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write(`UPDATE "_meta" SET value = `).Arg(currency).Write(" WHERE key = 'base_currency'"))
		return err
	})
	if err != nil {
		return nil, err
	}
	return tx.recompute(ctx, "")
}

func (s *Store) putExchangeRates() core.Action {
	rates := core.Column{Name: "rates", Kind: core.Object, List: true, Required: true, Doc: "The rates; one of the same currency, base and day is replaced.", Fields: []core.Column{
		required(currencyInput),
		{Name: "rate", Kind: core.Decimal, Required: true, Doc: "What one unit of the currency is worth in the base currency; at most 12 digits after the point."},
		{Name: "valid_from", Kind: core.Date, Doc: "The first day of the rate, in UTC; today when left out."},
		{Name: "base", Kind: core.Text, Doc: "The currency that the rate is in; the base currency when left out."},
	}}
	return s.money("put_exchange_rates", "Adds or replaces exchange rates. Amounts that are written from then on use them, and those that are there keep the rate that they were written with: see recompute_base_amounts. "+
		"The rates are the table _exchange_rate.",
		[]core.Column{rates}, []core.Column{{Name: "rates", Kind: core.Integer, Doc: "How many were put."}},
		core.Example{Doc: "What a dollar is worth.", In: core.Record{"rates": []any{map[string]any{"currency": "USD", "rate": decimal.RequireFromString("0.92"), "valid_from": "2024-05-01", "base": "EUR"}}}},
		func(ctx context.Context, tx *Tx, in core.Record) (core.Record, error) {
			list := in["rates"].([]any)
			err := tx.ChangePolicy(ctx, func() error {
				for i, r := range list {
					if err := tx.putRate(ctx, r.(map[string]any)); err != nil {
						return core.E("tables.put_exchange_rates", core.At{Item: item(len(list), i)}, err)
					}
				}
				return nil
			})
			return core.Record{"rates": int64(len(list))}, err
		})
}

func (tx *Tx) putRate(ctx context.Context, in map[string]any) error {
	const op = "tables.putRate"
	t := exchangeRate()
	base, _ := in["base"].(string)
	if base == "" {
		base = tx.snap.money.base
	}
	if base == "" {
		return core.E(op, core.Invalid, core.At{Column: "base"}, "there is no base currency yet: name the currency that the rate is in, or set_base_currency before")
	}
	currency, err := core.ParseCurrency(in["currency"].(string))
	if err == nil {
		base, err = core.ParseCurrency(base)
	}
	if err != nil {
		return err
	}
	column, _ := t.Column("rate")
	v, err := column.Parse(in["rate"])
	if err != nil {
		return core.E(op, err)
	}
	if value := v.(decimal.Decimal); !value.IsPositive() || currency == base {
		return core.E(op, core.Invalid, core.At{Column: "rate"}, "a rate is more than 0, and that of a currency to itself is 1 and is not kept")
	}
	from := in["valid_from"]
	if from == nil {
		from = tx.now
	}
	day, _ := t.Column("valid_from")
	if from, err = day.Parse(from); err != nil {
		return core.E(op, err)
	}
	r := core.Record{"id": string(core.NewID()), "currency": currency, "base": base, "valid_from": from, "rate": v, "created_at": tx.now, "created_by": string(actorOf(core.CallerFrom(ctx)))}
	b := db.New(tx.db.Dialect).Write("INSERT INTO ").Name(t.Name).Write(" (")
	for i := range t.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Name(t.Columns[i].Name)
	}
	b.Write(") VALUES (")
	for i := range t.Columns {
		if i > 0 {
			b.Write(", ")
		}
		b.Value(&t.Columns[i], r[t.Columns[i].Name])
	}
	b.Write(") ON CONFLICT (base, currency, valid_from) DO UPDATE SET rate = excluded.rate, created_at = excluded.created_at, created_by = excluded.created_by")
	_, err = tx.db.Exec(ctx, b)
	return err
}

func (s *Store) dropExchangeRate() core.Action {
	return s.money("drop_exchange_rate", "Removes an exchange rate. Base amounts that were computed with it stay.",
		[]core.Column{required(core.Column{Name: "id", Kind: core.UUID, Doc: "The rate, in the table _exchange_rate."})}, []core.Column{{Name: "id", Kind: core.UUID, Doc: "The rate."}}, core.Example{In: core.Record{"id": "0190a3c1-7c1e-7a3e-9d0b-0c5f8e6f1a2b"}},
		func(ctx context.Context, tx *Tx, in core.Record) (core.Record, error) {
			id := core.Column{Name: "id", Kind: core.UUID}
			return core.Record{"id": in["id"]}, tx.ChangePolicy(ctx, func() error {
				n, err := tx.db.Exec(ctx, db.New(tx.db.Dialect).Write("DELETE FROM ").Name(exchangeRates).Write(" WHERE id = ").Value(&id, in["id"]))
				if err == nil && n == 0 {
					err = core.E("tables.drop_exchange_rate", core.NotFound, core.At{Column: "id"}, "there is no such rate")
				}
				return err
			})
		})
}

func (s *Store) recomputeBaseAmounts() core.Action {
	return s.money("recompute_base_amounts", "Computes base amounts anew with the rates that are valid now, of one table or of all, in one transaction. Each record that changes gets a new version; rules do not run.",
		[]core.Column{text("table", "The table; all when left out.")}, []core.Column{recomputedOutput}, core.Example{In: core.Record{"table": "product"}},
		func(ctx context.Context, tx *Tx, in core.Record) (core.Record, error) {
			table, _ := in["table"].(string)
			if tx.snap.money.base == "" {
				return nil, core.E("tables.recompute_base_amounts", core.Invalid, "there is no base currency: set_base_currency sets it")
			}
			if t, err := tx.snap.Schema.Table(table); table != "" && (err != nil || t.Builtin || len(t.Monies()) == 0) {
				return nil, core.E("tables.recompute_base_amounts", core.Invalid, core.At{Table: table}, "there is no such table, or it has no amounts of money")
			}
			counts, err := tx.recompute(ctx, table)
			return core.Record{"recomputed": recomputed(tx.snap.Schema, counts)}, err
		})
}

// currencyFile makes the base currency a part of schemas as code.
type currencyFile struct{}

var _ Definitions = currencyFile{}

const (
	settingFolder = "settings/"
	settingFile   = settingFolder + "currency.yaml"
)

// currencySettings is what the file holds. Rates are data, not settings.
type currencySettings struct {
	Base string `json:"base_currency"`
}

// Folder implements Definitions.
func (currencyFile) Folder() string { return settingFolder }

// Export implements Definitions.
func (currencyFile) Export(ctx context.Context, tx *Tx) ([]File, error) {
	if tx.snap.money.base == "" || tx.snap.Policy.May(core.CallerFrom(ctx), manageCurrencies) != nil {
		return nil, nil
	}
	text, err := encodeFile(currencySettings{tx.snap.money.base})
	return []File{{settingFile, text}}, err
}

func (currencyFile) read(ctx context.Context, tx *Tx, f File) (out currencySettings, err error) {
	const op = "tables.currencyFile"
	if err := tx.snap.Policy.May(core.CallerFrom(ctx), manageCurrencies); err != nil {
		return out, core.E(op, err)
	}
	if f.Path != settingFile {
		return out, core.E(op, core.Invalid, fmt.Sprintf("%s: there is no such setting; there is %s", f.Path, settingFile))
	}
	m, err := decodeFile(f)
	if err == nil {
		err = strictly(f, m, &out)
	}
	if err == nil {
		if out.Base, err = core.ParseCurrency(out.Base); err != nil {
			err = core.E(op, err, f.Path+": "+core.AsError(err).Msg)
		}
	}
	return out, err
}

// Plan implements Definitions.
func (c currencyFile) Plan(ctx context.Context, tx *Tx, f File) (string, error) {
	set, err := c.read(ctx, tx, f)
	if err != nil || set.Base == tx.snap.money.base {
		return "", err
	}
	var of []string
	for _, t := range tx.snap.Schema.Tables() {
		if len(t.Monies()) > 0 {
			of = append(of, t.Name)
		}
	}
	line := "set the base currency to " + set.Base
	if len(of) > 0 {
		slices.Sort(of)
		line += ", and compute the base amounts anew of " + strings.Join(of, ", ")
	}
	return line, nil
}

// Apply implements Definitions.
func (c currencyFile) Apply(ctx context.Context, tx *Tx, f File) error {
	set, err := c.read(ctx, tx, f)
	if err == nil {
		_, err = tx.setBase(ctx, set.Base)
	}
	return err
}
