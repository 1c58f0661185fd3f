package core

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// A currency column is four: the amount, of the kind [Currency], and beside it three whose Of is the name of the first. They
// are the code of the currency, which writers choose, and the rate and the base amount, which the table layer keeps.

// currencyDigits are the currencies of ISO 4217 by how many digits their minor units have: list one of
// https://www.six-group.com/en/products-services/financial-information/data-standards.html#scrollTo=currency-codes, without
// the codes that have no minor units, such as XAU, and with those that were withdrawn since 2020, which records may have.
var currencyDigits = func() map[string]int {
	out := map[string]int{}
	for digits, codes := range map[int]string{
		0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC " +
			"CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS " +
			"KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN " +
			"PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS " +
			"UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ZWL",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	} {
		for _, code := range strings.Fields(codes) {
			out[code] = digits
		}
	}
	return out
}()

// Currencies returns the codes of all currencies, sorted.
func Currencies() []string { return slices.Sorted(maps.Keys(currencyDigits)) }

// CurrencyDigits returns how many digits after the point an amount in the currency has; false when there is no such
// currency.
func CurrencyDigits(code string) (int, bool) {
	n, ok := currencyDigits[code]
	return n, ok
}

// ParseCurrency returns the code of a currency in its form: EUR.
func ParseCurrency(s string) (string, error) {
	code, problem := formatCurrency(nil, s)
	if problem != "" {
		return "", E("core.ParseCurrency", Invalid, problem)
	}
	return code, nil
}

func formatCurrency(_ *Column, s string) (string, string) {
	code := strings.ToUpper(strings.TrimSpace(s))
	if _, ok := currencyDigits[code]; ok {
		return code, ""
	}
	return "", describe(s) + " is no currency: write its code of ISO 4217, like EUR"
}

// The digits that an amount has at most: what every expression can compute with.
const (
	amountWhole    = 30
	amountFraction = 10
)

func parseAmount(c *Column, v any) (any, string) {
	p, problem := parseDecimal(c, v)
	if problem != "" {
		return nil, problem
	}
	d := p.(decimal.Decimal)
	if d.Abs().Cmp(decimal.New(1, amountWhole)) >= 0 {
		return nil, fmt.Sprintf("the amount has more than %d digits before the point", amountWhole)
	}
	if !d.Round(amountFraction).Equal(d) {
		return nil, fmt.Sprintf("the amount has more than %d digits after the point", amountFraction)
	}
	return d, ""
}

// appendAmount writes all digits that the amount has: as many as its currency.
func appendAmount(b []byte, v any) []byte {
	d := v.(decimal.Decimal)
	return append(b, d.StringFixed(max(0, -d.Exponent()))...)
}

// InCurrency returns an amount with the digits of the currency, or what is wrong with it.
func InCurrency(amount decimal.Decimal, code string) (decimal.Decimal, string) {
	digits, ok := CurrencyDigits(code)
	if !ok {
		return amount, fmt.Sprintf("%s is no currency", describe(code))
	}
	out := RoundTo(amount, digits)
	switch {
	case out.Equal(amount):
		return out, ""
	case digits == 0:
		return amount, fmt.Sprintf("an amount in %s has no digits after the point: round it", code)
	}
	return amount, fmt.Sprintf("an amount in %s has at most %s after the point: round it", code, Count(digits, "digit"))
}

// RoundTo rounds half away from zero, as expressions and PostgreSQL do, to a number of exactly so many digits after the
// point.
func RoundTo(d decimal.Decimal, digits int) decimal.Decimal {
	d = d.Round(int32(digits))
	if d.Exponent() == int32(-digits) {
		return d
	}
	return decimal.NewFromBigInt(d.Shift(int32(digits)).BigInt(), int32(-digits))
}

// Money are the columns of a currency.
type Money struct {
	Amount, Code, Rate, Base *Column
}

// The suffixes of the columns beside an amount.
const (
	codeSuffix = "_currency"
	rateSuffix = "_rate"
	baseSuffix = "_base"
)

// Monies returns the currencies of the table.
func (t *Table) Monies() []Money {
	var out []Money
	for i := range t.Columns {
		if t.Columns[i].Kind == Currency && t.Columns[i].Of == "" {
			m := Money{Amount: &t.Columns[i]}
			for j := range t.Columns {
				if c := &t.Columns[j]; c.Of == m.Amount.Name {
					switch c.Kind {
					case Text:
						m.Code = c
					case Decimal:
						m.Rate = c
					case Currency:
						m.Base = c
					}
				}
			}
			out = append(out, m)
		}
	}
	return out
}

// Kept reports whether the table layer writes the column, and nobody else: the rate and the base amount of a currency.
func (c *Column) Kept() bool { return c.Of != "" && (c.Kind == Decimal || c.Kind == Currency) }

// moneyParts returns the columns beside an amount.
func (c *Column) moneyParts() []Column {
	return []Column{
		{Name: c.Name + codeSuffix, Kind: Text, Format: CurrencyCode, Of: c.Name, Doc: "The currency of " + c.Name + "; the base currency when left out."},
		{Name: c.Name + rateSuffix, Kind: Decimal, Of: c.Name, Doc: "What one unit of the currency of " + c.Name + " was worth in the base currency when it was written."},
		{Name: c.Name + baseSuffix, Kind: Currency, Of: c.Name, Doc: c.Name + " in the base currency."},
	}
}

// withMoney returns the columns with those beside each amount that lack them.
func withMoney(columns []Column) []Column {
	var out []Column
	for _, c := range columns {
		out = append(out, c)
		if c.Kind != Currency || c.Of != "" {
			continue
		}
		for _, part := range c.moneyParts() {
			if !slices.ContainsFunc(columns, func(o Column) bool { return o.Of == c.Name && o.Kind == part.Kind }) {
				out = append(out, part)
			}
		}
	}
	return out
}

// renameMoney adds to the names of columns, old and new, those of the columns beside an amount that are called after it.
func (t *Table) renameMoney(to map[string]string) map[string]string {
	out := maps.Clone(to)
	for _, m := range t.Monies() {
		name, ok := to[m.Amount.Name]
		if !ok {
			continue
		}
		for _, part := range []*Column{m.Code, m.Rate, m.Base} {
			suffix, after := strings.CutPrefix(part.Name, m.Amount.Name)
			if _, given := to[part.Name]; after && !given {
				out[part.Name] = name + suffix
			}
		}
	}
	return out
}

// checkMoney finds what is wrong with the currencies of t.
func (t *Table) checkMoney() error {
	const op = "core.checkMoney"
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Of == "" || c.Kind == Choice {
			continue
		}
		at := At{Table: t.Name, Column: c.Name}
		of, ok := t.Column(c.Of)
		plain := c.Kind == Text && c.Format == CurrencyCode || c.Kept() && c.Min == nil && c.Max == nil
		if !ok || of.Kind != Currency || of.Of != "" || !plain || c.Required || c.Unique || c.Default != "" || c.Calculated() {
			return E(op, Invalid, at, "the column is one of those beside an amount, which are as they are made")
		}
	}
	for _, m := range t.Monies() {
		beside := 0
		for i := range t.Columns {
			if t.Columns[i].Of == m.Amount.Name {
				beside++
			}
		}
		if m.Code == nil || m.Rate == nil || m.Base == nil || beside != 3 {
			return E(op, Invalid, At{Table: t.Name, Column: m.Amount.Name}, "an amount has its currency, its rate and its base amount in columns beside it")
		}
	}
	return nil
}
