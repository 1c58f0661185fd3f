package rules

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"github.com/shopspring/decimal"

	"colonnade/core/formula"
)

var textFunctions = []Function{
	{"contains", "Whether a text has another in it. Upper and lower case differ.", []Overload{
		{Signature: "string, string: bool", SQLite: "(instr($1, $2) > 0)", Postgres: "(strpos($1, $2) > 0)", call: testTexts(strings.Contains)},
	}, []string{"'acme'.contains('cm')", "!'acme'.contains('CM')", "'acme'.contains('')", "'100%'.contains('%')"}},

	{"startsWith", "Whether a text begins with another.", []Overload{
		{Signature: "string, string: bool", SQLite: "(substr($1, 1, length($2)) = $2)", Postgres: "starts_with($1, $2)", call: testTexts(strings.HasPrefix)},
	}, []string{"'acme'.startsWith('ac')", "!'acme'.startsWith('cm')", "'äö'.startsWith('ä')", "'a'.startsWith('')"}},

	{"endsWith", "Whether a text ends with another.", []Overload{
		{Signature: "string, string: bool", SQLite: "text_ends($1, $2)", Postgres: "(right($1, length($2)) = $2)", call: testTexts(strings.HasSuffix)},
	}, []string{"'acme'.endsWith('me')", "!'acme'.endsWith('cm')", "'äö'.endsWith('ö')", "'a'.endsWith('')", "!'a'.endsWith('aa')"}},

	{"matches", "Whether a regular expression (RE2), which is a literal, finds something in a text.", []Overload{
		{Signature: "string, string: bool", SQLite: "text_matches($1, $2)", Postgres: "(($1) ~ #1::text)", std: true, Literal: 2, check: checkPattern, derive: func(literal string) []any {
			r, err := formula.ParseRegex(literal)
			if err != nil {
				return []any{""}
			}
			return []any{r.Postgres()}
		}},
	}, []string{"'acme'.matches('^a.*e$')", "!'acme'.matches('^c')", "'Größe 7'.matches('ö.e [0-9]')", "'a\\nb'.matches('(?m)^b$')", "'100 %'.matches('\\\\b%') == false", "'STRASSE'.matches('(?i)^straße$') == false"}},

	{"size", "The number of characters of a text, or of values of choices.", []Overload{
		{Signature: "string: int", SQLite: "length($1)", Postgres: "(length($1)::bigint)", call: unaryText(func(s string) ref.Val { return types.Int(utf8.RuneCountInString(s)) })},
		{Signature: "choices: int", SQLite: "json_array_length(coalesce($1, '[]'))", Postgres: "(jsonb_array_length(coalesce($1, '[]'))::bigint)", lenient: true, call: countChoices},
	}, []string{"size('äö') == 2", "''.size() == 0", "size(choices('a;b')) == 2"}},

	{"find", "Where a text is first found in another, in characters counted from 0; after a position when one is given. NULL when it is not found.", []Overload{
		{Signature: "string, string: int", SQLite: "text_find($1, $2, 0)", Postgres: "(nullif(strpos($1, $2), 0)::bigint - 1)", call: func(s, part ref.Val) ref.Val { return find(s, part, types.IntZero) }},
		{Signature: "string, string, int: int", SQLite: "text_find($1, $2, $3)", Postgres: "text_find($1, $2, $3)", call: find},
	}, []string{"find('a-b-c', '-') == 1", "find('a-b-c', '-', 2) == 3", "isNull(find('abc', 'x'))", "'äö'.find('ö') == 1"}},

	{"left", "The first characters of a text.", []Overload{
		{Signature: "string, int: string", SQLite: "text_part($1, 0, $2)", Postgres: "left($1, " + position("$2") + ")", call: func(s, n ref.Val) ref.Val { return substring(s, types.IntZero, n) }},
	}, []string{"left('acme', 2) == 'ac'", "left('a', 9) == 'a'", "isNull(left('a', -1))"}},

	{"right", "The last characters of a text.", []Overload{
		{Signature: "string, int: string", SQLite: "text_right($1, $2)", Postgres: "right($1, " + position("$2") + ")", call: func(s, n ref.Val) ref.Val {
			out, ok := formula.Right(string(s.(types.String)), int64(n.(types.Int)))
			return perhaps(types.String(out), ok)
		}},
	}, []string{"right('äöü', 2) == 'öü'", "right('a', 9) == 'a'", "isNull(right('a', -1))"}},

	{"substring", "The characters from a position, counted from 0, up to another or to the end.", []Overload{
		{Signature: "string, int: string", SQLite: "text_after($1, $2)", Postgres: "substr($1, " + position("$2") + " + 1)", call: func(s, from ref.Val) ref.Val { return substring(s, from) }},
		{Signature: "string, int, int: string", SQLite: "text_part($1, $2, $3)", Postgres: "substr($1, " + position("$2") + " + 1, " + position("$3::numeric - $2") + ")", call: substring},
	}, []string{"'acme'.substring(1) == 'cme'", "'acme'.substring(1, 3) == 'cm'", "'äöü'.substring(1, 9) == 'öü'", "'a'.substring(5) == ''", "isNull('a'.substring(2, 1))", "isNull('a'.substring(-1))"}},

	{"splitPart", "The n-th of the parts of a text that a separator separates, counted from 0. NULL when there are not so many; an empty text has none.", []Overload{
		{Signature: "string, string, int: string", SQLite: "text_split($1, $2, $3)", Postgres: "text_part($1, $2, $3)", call: func(args ...ref.Val) ref.Val {
			out, ok := formula.Split(string(args[0].(types.String)), string(args[1].(types.String)), int64(args[2].(types.Int)))
			return perhaps(types.String(out), ok)
		}},
	}, []string{"splitPart('a@b.org', '@', 1) == 'b.org'", "splitPart('a,,c', ',', 1) == ''", "isNull(splitPart('a', ',', 1))"}},

	{"lower", "A text with the letters A to Z made small. Other letters stay, so that every database agrees.", []Overload{
		{Signature: "string: string", SQLite: "lower($1)", Postgres: `(lower($1 COLLATE "C"))`, call: unaryText(func(s string) ref.Val { return types.String(mapASCII(s, 'A', 'Z', 32)) })},
	}, []string{"'AcMe'.lower() == 'acme'", "lower('Ä') == 'Ä'"}},

	{"upper", "A text with the letters a to z made capital. Other letters stay, so that every database agrees.", []Overload{
		{Signature: "string: string", SQLite: "upper($1)", Postgres: `(upper($1 COLLATE "C"))`, call: unaryText(func(s string) ref.Val { return types.String(mapASCII(s, 'a', 'z', -32)) })},
	}, []string{"'AcMe'.upper() == 'ACME'", "upper('ä') == 'ä'"}},

	{"capitalize", "A text whose first character is a capital letter. Only a to z become one.", []Overload{
		{Signature: "string: string", SQLite: "text_capital($1)", Postgres: `(upper(left($1, 1) COLLATE "C") || substr($1, 2))`, call: unaryText(func(s string) ref.Val { return types.String(formula.Capitalize(s)) })},
	}, []string{"capitalize('acme Ltd') == 'Acme Ltd'", "capitalize('') == ''"}},

	{"title", "A text each word of which begins with a capital letter and goes on with small ones. A blank ends a word; only a to z and A to Z change.", []Overload{
		{Signature: "string: string", SQLite: "text_title($1)", Postgres: "text_title($1)", call: unaryText(func(s string) ref.Val { return types.String(formula.Title(s)) })},
	}, []string{"title('jane VAN dyke') == 'Jane Van Dyke'", "title('größe') == 'Größe'", "title(' a  b ') == ' A  B '"}},

	{"trim", "A text without blanks, tabs, line ends and the other white space of Unicode at its ends.", []Overload{
		{Signature: "string: string", SQLite: "trim($1, " + blanksSQLite + ")", Postgres: "btrim($1, " + blanksPostgres + ")", call: unaryText(func(s string) ref.Val { return types.String(trimmed(s)) })},
	}, []string{`' a b\n\t'.trim() == 'a b'`, "trim('') == ''", `trim('\u00a0a\u3000') == 'a'`}},

	{"padLeft", "A text that is filled at its left up to so many characters, at most 1,000, with blanks or with another text.", []Overload{
		{Signature: "string, int: string", macro: true},
		{Signature: "string, int, string: string", SQLite: "text_pad($1, $2, $3, 1)", Postgres: "text_pad($1, $2, $3, true)", call: pad(true)},
	}, []string{"padLeft('7', 3, '0') == '007'", "padLeft('a', 2) == ' a'", "padLeft('abc', 2, '0') == 'abc'", "padLeft('a', 4, 'xy') == 'xyxa'", "isNull(padLeft('a', 1001))"}},

	{"padRight", "A text that is filled at its right up to so many characters, at most 1,000, with blanks or with another text.", []Overload{
		{Signature: "string, int: string", macro: true},
		{Signature: "string, int, string: string", SQLite: "text_pad($1, $2, $3, 0)", Postgres: "text_pad($1, $2, $3, false)", call: pad(false)},
	}, []string{"padRight('a', 3, '.') == 'a..'", "padRight('a', 2) == 'a '"}},

	{"repeat", "So many copies of a text. NULL when the result would exceed a million characters.", []Overload{
		{Signature: "string, int: string", SQLite: "text_repeat($1, $2)", Postgres: "text_repeat($1, $2)", call: func(s, n ref.Val) ref.Val {
			out, ok := formula.Repeat(string(s.(types.String)), int64(n.(types.Int)))
			return perhaps(types.String(out), ok)
		}},
	}, []string{"repeat('*', 3) == '***'", "repeat('a', 0) == ''", "isNull(repeat('a', -1))"}},

	{"replace", "A text with every occurrence of a part replaced. NULL when the result could exceed a million characters.", []Overload{
		{Signature: "string, string, string: string",
			SQLite:   "CASE WHEN length($3) <= length($2) OR length($1) * length($3) <= 1000000 THEN replace($1, $2, $3) END",
			Postgres: "CASE WHEN length($3) <= length($2) OR length($1)::bigint * length($3) <= 1000000 THEN replace($1, $2, $3) END",
			call:     replace},
	}, []string{"'a-b-c'.replace('-', '') == 'abc'", "'aa'.replace('a', 'aa') == 'aaaa'", "'a'.replace('', 'x') == 'a'"}},

	{"join", "Texts with a separator between them, which is a literal. Texts that are empty or NULL are left out; NULL when all are.", []Overload{
		{Signature: "string, string, string: string", SQLite: "text_join($1, $2, $3)", Postgres: "text_join($1, $2, $3)", Literal: 1, check: anything, lenient: true, call: join},
	}, []string{"join(' ', 'Jane', string(1 / 0), 'Doe') == 'Jane Doe'", "join(', ', '', 'a') == 'a'", "isNull(join('-', '', ''))"}},

	{"string", "A text: of an integer, of a decimal without needless zeros, or of a boolean.", []Overload{
		{Signature: "int: string", SQLite: "CAST($1 AS TEXT)", Postgres: "($1::text)", call: func(v ref.Val) ref.Val { return types.String(strconv.FormatInt(int64(v.(types.Int)), 10)) }},
		{Signature: "decimal: string", SQLite: "decimal_text($1)", Postgres: "(trim_scale($1)::text)", call: unaryDecimal(func(d decimal.Decimal) ref.Val { return types.String(decimalText(d)) })},
		{Signature: "bool: string", SQLite: "CASE $1 WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END", Postgres: "CASE $1 WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END", call: func(v ref.Val) ref.Val { return types.String(strconv.FormatBool(bool(v.(types.Bool)))) }},
		{Signature: "string: string", SQLite: "$1", Postgres: "$1", call: func(v ref.Val) ref.Val { return v }},
	}, []string{"string(12) == '12'", "string(1.50) == '1.5'", "string(100.0) == '100'", "string(true) == 'true'"}},
}

func testTexts(f func(a, b string) bool) any {
	return func(a, b ref.Val) ref.Val { return types.Bool(f(string(a.(types.String)), string(b.(types.String)))) }
}

func unaryText(f func(string) ref.Val) any {
	return func(v ref.Val) ref.Val { return f(string(v.(types.String))) }
}

func mapASCII(s string, from, to byte, by int) string {
	b := []byte(s)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = byte(int(c) + by)
		}
	}
	return string(b)
}

// blanks are the white space of Unicode (PropList.txt, White_Space).
const blanks = "\t\n\v\f\r \u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"

// blanksSQLite and blanksPostgres are blanks as SQL.
var blanksSQLite, blanksPostgres = func() (string, string) {
	var lite, pg []string
	for _, r := range blanks {
		lite = append(lite, strconv.Itoa(int(r)))
		pg = append(pg, fmt.Sprintf(`\u%04x`, r))
	}
	return "char(" + strings.Join(lite, ", ") + ")", "E'" + strings.Join(pg, "") + "'"
}()

func trimmed(s string) string { return strings.Trim(s, blanks) }

// maxSpan is the greatest position or length of a text.
const maxSpan = 1_000_000_000

func substring(args ...ref.Val) ref.Val {
	s, from := string(args[0].(types.String)), int64(args[1].(types.Int))
	if from < 0 || from > maxSpan {
		return null
	}
	length := int64(-1)
	if len(args) == 3 {
		to := int64(args[2].(types.Int))
		if to < from || to-from > maxSpan { // to - from cannot overflow, for from is not negative
			return null
		}
		length = to - from
	}
	return types.String(textPart(s, from, length))
}

// textPart returns length characters of s, all when length is negative, from the position from.
func textPart(s string, from, length int64) string {
	for ; from > 0 && s != ""; from-- {
		_, n := utf8.DecodeRuneInString(s)
		s = s[n:]
	}
	if length < 0 {
		return s
	}
	end := 0
	for ; length > 0 && end < len(s); length-- {
		_, n := utf8.DecodeRuneInString(s[end:])
		end += n
	}
	return s[:end]
}

func find(args ...ref.Val) ref.Val {
	i, ok := formula.Find(string(args[0].(types.String)), string(args[1].(types.String)), int64(args[2].(types.Int)))
	return perhaps(types.Int(i), ok)
}

func pad(left bool) any {
	return func(args ...ref.Val) ref.Val {
		out, ok := formula.Pad(string(args[0].(types.String)), int64(args[1].(types.Int)), string(args[2].(types.String)), left)
		return perhaps(types.String(out), ok)
	}
}

// join takes NULL for an empty text.
func join(args ...ref.Val) ref.Val {
	separator, ok := args[0].(types.String)
	if !ok {
		return null
	}
	a, _ := args[1].(types.String)
	b, _ := args[2].(types.String)
	out, ok := formula.Join(string(separator), string(a), string(b))
	return perhaps(types.String(out), ok)
}

// maxReplaced is how many characters a growing replacement may make.
const maxReplaced = 1_000_000

func replace(args ...ref.Val) ref.Val {
	s, from, to := string(args[0].(types.String)), string(args[1].(types.String)), string(args[2].(types.String))
	grown := utf8.RuneCountInString(to)
	if grown > utf8.RuneCountInString(from) && utf8.RuneCountInString(s)*grown > maxReplaced {
		return null
	}
	if from == "" {
		return args[0]
	}
	return types.String(strings.ReplaceAll(s, from, to))
}

// checkPattern returns what is wrong with a regular expression.
func checkPattern(s string) error {
	_, err := formula.ParseRegex(s)
	return err
}

// anything accepts every literal.
func anything(string) error { return nil }
