package oracle

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"colonnade/core"
)

// truth is a value of three-valued logic.
type truth int

const (
	no truth = iota - 1
	unknown
	yes
)

func is(b bool) truth {
	if b {
		return yes
	}
	return no
}

func includes(have []string, c compare) truth {
	want := map[string]bool{}
	for _, v := range c.value.([]any) {
		want[v.(string)] = true
	}
	n := 0
	for _, v := range have {
		if want[v] {
			n++
		}
	}
	switch c.op {
	case "_contains":
		return is(n == len(want))
	case "_contained_in":
		return is(n == len(have))
	}
	return is(n > 0)
}

func likes(s, pattern string, fold bool) bool {
	var re strings.Builder
	re.WriteString("(?s)^")
	if fold {
		re.WriteString("(?i)")
	}
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '%':
			re.WriteString(".*")
		case pattern[i] == '_':
			re.WriteString(".")
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	return regexp.MustCompile(re.String() + "$").MatchString(s)
}

// collate compares two values of one kind.
func collate(a, b any) int {
	switch a := a.(type) {
	case string:
		return strings.Compare(a, b.(string))
	case int64:
		return cmp.Compare(a, b.(int64))
	case float64:
		return cmp.Compare(a, b.(float64))
	case decimal.Decimal:
		return a.Cmp(b.(decimal.Decimal))
	case time.Time:
		return a.Compare(b.(time.Time))
	case bool:
		if a == b.(bool) {
			return 0
		}
		if a {
			return 1
		}
		return -1
	case core.CivilTime:
		return cmp.Compare(a, b.(core.CivilTime))
	case core.Span:
		return cmp.Compare(a, b.(core.Span))
	case json.RawMessage:
		return strings.Compare(string(a), string(b.(json.RawMessage)))
	case []string:
		return slices.Compare(a, b.([]string))
	}
	panic(fmt.Sprintf("%T", a))
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func parsed(raw []byte) any {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("%v: %s", err, raw))
	}
	return v
}

// agree compares answers; numbers by value.
func agree(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		x, err := decimal.NewFromString(string(a))
		y, err2 := decimal.NewFromString(string(b))
		if err != nil || err2 != nil {
			return false
		}
		return x.Equal(y) || x.Sub(y).Abs().Cmp(x.Abs().Mul(decimal.New(1, -13))) < 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, agree)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, v := range a {
			if other, ok := b[k]; !ok || !agree(v, other) {
				return false
			}
		}
		return true
	}
	return a == b
}

// disagreement names the first place where two answers differ.
func disagreement(at string, want, got any) string {
	switch want := want.(type) {
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			for i := range want {
				if !agree(want[i], got[i]) {
					return disagreement(fmt.Sprint(at, "[", i, "]"), want[i], got[i])
				}
			}
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			for key := range want {
				if !agree(want[key], got[key]) {
					return disagreement(at+"."+key, want[key], got[key])
				}
			}
		}
	}
	return fmt.Sprintf("%s is %v, want %v", at, got, want)
}
