package tables

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// deals is a schema with two amounts of money.
var deals = core.CreateTable{Define: core.Table{Name: "deal", Columns: []core.Column{{Name: "price", Kind: core.Currency}, {Name: "cost", Kind: core.Currency}}}}

// putRates puts rates to a base currency that are valid since long.
func putRates(t *testing.T, s *Store, base string, rates map[string]string) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		return tx.ChangePolicy(ctx, func() error {
			for currency, rate := range rates {
				if err := tx.putRate(ctx, map[string]any{"currency": currency, "base": base, "rate": rate, "valid_from": "2020-01-01"}); err != nil {
					return err
				}
			}
			return nil
		})
	}))
}

func setBase(t *testing.T, s *Store, currency string) {
	t.Helper()
	must(t, s.Tx(root(t), TxOptions{Define: true}, func(ctx context.Context, tx *Tx) error {
		_, err := tx.setBase(ctx, currency)
		return err
	}))
}

// checkWorth checks that every amount is worth its rate in the base currency, and that the rate is that of the currency.
func checkWorth(t *testing.T, s *Store, base string, rates map[string]string) {
	t.Helper()
	digits, _ := core.CurrencyDigits(base)
	for r, err := range s.Scan(root(t), s.Snapshot(), Query{Table: "deal"}) {
		must(t, err)
		for _, c := range []string{"price", "cost"} {
			amount, ok := r[c].(decimal.Decimal)
			if !ok {
				if r[c+"_currency"] != nil || r[c+"_rate"] != nil || r[c+"_base"] != nil {
					t.Errorf("without an amount %s is %v", c, r)
				}
				continue
			}
			code := r[c+"_currency"].(string)
			rate := decimal.NewFromInt(1)
			if code != base {
				rate = decimal.RequireFromString(rates[code])
			}
			worth, _ := r[c+"_base"].(decimal.Decimal)
			have, _ := r[c+"_rate"].(decimal.Decimal)
			if !have.Equal(rate) || !worth.Equal(amount.Mul(rate).Round(int32(digits))) {
				t.Errorf("%s %s is worth %v at %v, want the rate %s", amount, code, r[c+"_base"], r[c+"_rate"], rate)
			}
		}
	}
}

// TestMoneyModel writes random amounts, in parts and whole, and compares what is stored with what was written.
func TestMoneyModel(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, deals)
		rates := map[string]string{"USD": "0.925", "JPY": "0.006137", "KWD": "3.005"}
		putRates(t, s, "EUR", rates)
		setBase(t, s, "EUR")
		ctx, id := root(t), mustInsert(t, root(t), s, "deal", core.Record{})[0]
		codes := []string{"EUR", "USD", "JPY", "KWD"}
		model := map[string][2]any{} // amount and currency
		for range 60 {
			set := core.Record{}
			next := map[string][2]any{}
			good := true
			for _, c := range []string{"price", "cost"} {
				now := model[c]
				if rand.IntN(2) == 0 {
					now[0] = []any{nil, decimal.New(rand.Int64N(100000), -int32(rand.IntN(4))), decimal.NewFromInt(rand.Int64N(1000))}[rand.IntN(3)]
					set[c] = now[0]
				}
				if rand.IntN(2) == 0 {
					now[1] = codes[rand.IntN(len(codes))]
					set[c+"_currency"] = now[1]
				}
				switch {
				case now[0] == nil:
					good = good && (now[1] == nil || now[1] == model[c][1])
					now[1] = nil
				case now[1] == nil:
					now[1] = "EUR"
				}
				if now[0] != nil {
					_, problem := core.InCurrency(now[0].(decimal.Decimal), now[1].(string))
					good = good && problem == ""
				}
				next[c] = now
			}
			err := s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
				_, err := tx.Update(ctx, Update{Table: "deal", Where: ByID(id), Set: set})
				return err
			})
			if (err == nil) != good {
				t.Fatalf("%v over %v: %v", set, model, err)
			}
			if good {
				model = next
			}
			r := find(t, s, "deal", id)
			for c, want := range model {
				if !equal(r[c], want[0]) || r[c+"_currency"] != want[1] {
					t.Fatalf("after %v %s is %v %v, want %v", set, c, r[c], r[c+"_currency"], want)
				}
			}
			checkWorth(t, s, "EUR", rates)
		}
	})
}

// TestBaseCurrencyRace changes the base currency while others write: no amount is worth what it was in the other one.
func TestBaseCurrencyRace(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		define(t, s, deals)
		rates := map[string]map[string]string{"EUR": {"USD": "0.925", "JPY": "0.006137"}, "USD": {"EUR": "1.0811", "JPY": "0.00663"}}
		for base, list := range rates {
			putRates(t, s, base, list)
		}
		setBase(t, s, "EUR")
		ctx := root(t)
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for i := range 15 {
					_, err := insert(ctx, s, "deal", core.Record{"price": int64(i), "price_currency": []string{"EUR", "USD", "JPY"}[i%3], "cost": "1.00"})
					if err != nil && core.KindOf(err) != core.Conflict {
						t.Error(err)
					}
				}
			})
		}
		last := "EUR"
		for _, base := range []string{"USD", "EUR", "USD"} {
			setBase(t, s, base)
			last = base
		}
		wait.Wait()
		checkWorth(t, s, last, rates[last])
	})
}
