package core

import (
	"regexp"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

// TestCurrencies checks the list of ISO 4217: the codes are codes, each once, with the digits that are well known.
func TestCurrencies(t *testing.T) {
	code := regexp.MustCompile(`^[A-Z]{3}$`)
	for _, c := range Currencies() {
		if digits, ok := CurrencyDigits(c); !code.MatchString(c) || !ok || digits < 0 || digits > 4 {
			t.Errorf("%s has %d digits", c, digits)
		}
	}
	for c, want := range map[string]int{"EUR": 2, "JPY": 0, "KWD": 3, "CLF": 4, "ISK": 0, "MGA": 2, "UYW": 4, "XAF": 0, "IQD": 3, "XCG": 2} {
		if got, _ := CurrencyDigits(c); got != want {
			t.Errorf("%s has %d digits, want %d", c, got, want)
		}
	}
	for _, c := range []string{"XXX", "XAU", "XTS", "eur", "", "EURO", "DEM"} {
		if _, ok := CurrencyDigits(c); ok {
			t.Errorf("%s is a currency", c)
		}
	}
	if code, err := ParseCurrency(" usd "); code != "USD" || err != nil {
		t.Errorf("usd is %s, %v", code, err)
	}
	if _, err := ParseCurrency("XAU"); KindOf(err) != Invalid {
		t.Errorf("gold: %v", err)
	}
}

// TestInCurrency gives amounts the digits of their currency, and loses none.
func TestInCurrency(t *testing.T) {
	c := &Column{Kind: Currency}
	rapid.Check(t, func(t *rapid.T) {
		amount := decimal.New(rapid.Int64().Draw(t, "digits"), -rapid.Int32Range(0, 6).Draw(t, "scale"))
		code := rapid.SampledFrom(Currencies()).Draw(t, "code")
		digits, _ := CurrencyDigits(code)
		got, problem := InCurrency(amount, code)
		if fits := amount.Equal(amount.Truncate(int32(digits))); fits != (problem == "") {
			t.Fatalf("%s %s: %q", amount, code, problem)
		}
		if problem != "" {
			return
		}
		if !got.Equal(amount) || got.Exponent() != int32(-digits) {
			t.Fatalf("%s %s became %s", amount, code, got)
		}
		text := string(c.AppendJSON(nil, got))
		if back, err := c.Parse(text); err != nil || string(c.AppendJSON(nil, back)) != text {
			t.Fatalf("%s is read as %v, %v", text, back, err)
		}
	})
	for in, want := range map[string]string{"0.125": "0.13", "-0.125": "-0.13", "0.124999": "0.12", "7": "7.00", "1e3": "1000.00"} {
		if got := RoundTo(decimal.RequireFromString(in), 2); string(appendAmount(nil, got)) != want {
			t.Errorf("%s is rounded to %s, want %s", in, appendAmount(nil, got), want)
		}
	}
}
