package rules

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"

	"colonnade/core"
)

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)
	unexpected = regexp.MustCompile(`^Syntax error: (?:mismatched input|extraneous input|no viable alternative at input|token recognition error at:) '(.*?)'(?: expecting.*)?$`)
)

// explain turns the first of CEL's findings into an error of ours. names are the variables, for suggestions.
func explain(issues *cel.Issues, names []string) error {
	first := issues.Errors()[0]
	return core.E("rules.Compile", core.Invalid, place(first.Location), sentence(first.Message, names))
}

func place(l common.Location) core.At {
	if l == nil || l.Line() < 1 {
		return core.At{}
	}
	return core.At{Line: l.Line(), Pos: l.Column() + 1}
}

// shown adds to an error that has a place in source the line of it with a caret.
func shown(err error, source string) error {
	if err == nil {
		return nil
	}
	if e := core.AsError(err); e.Line > 0 && e.Excerpt == "" {
		return core.E("rules.Compile", core.At{Excerpt: excerpt(source, e.Line, e.Pos)}, err)
	}
	return err
}

// excerptWidth is how many characters of a line are shown, half of them before the place.
const excerptWidth = 100

// excerpt returns a line of source, counted from 1, and below it a caret under a character of it.
func excerpt(source string, line, pos int) string {
	lines := strings.Split(source, "\n")
	if line > len(lines) {
		return ""
	}
	text := []rune(strings.NewReplacer("\t", " ", "\r", "").Replace(lines[line-1]))
	at := min(max(pos-1, 0), len(text))
	if from := max(0, min(at-excerptWidth/2, len(text)-excerptWidth)); from > 0 {
		text, at = append([]rune("…"), text[from:]...), at-from+1
	}
	if len(text) > excerptWidth {
		text = append(text[:excerptWidth:excerptWidth], '…')
	}
	return string(text) + "\n" + strings.Repeat(" ", at) + "^"
}

// refuse returns an error at the node.
func refuse(a *ast.AST, e ast.Expr, message string) error {
	return core.E("rules.Compile", core.Invalid, place(a.SourceInfo().GetStartLocation(e.ID())), message)
}

func sentence(message string, names []string) string {
	if m := undeclared.FindStringSubmatch(message); m != nil {
		return unknownName(m[1], names)
	}
	if m := noOverload.FindStringSubmatch(message); m != nil {
		return mismatch(m[1], m[2])
	}
	if m := unexpected.FindStringSubmatch(message); m != nil {
		if m[1] == "<EOF>" {
			return "the expression ends too early"
		}
		found := strings.TrimSpace(m[1])
		if instead := spellings[strings.ToLower(found)]; instead != "" {
			return fmt.Sprintf("%q is not expected here: %s", found, instead)
		}
		return fmt.Sprintf("%q is not expected here", found)
	}
	if strings.HasPrefix(message, "reserved identifier: if") {
		return "there is no if: write condition ? value : other"
	}
	if message == "invalid int literal" {
		return "a whole number has at most 64 bits; with .0 behind it, it is a decimal of up to 30 digits"
	}
	message, _, _ = strings.Cut(message, "\n")
	return strings.ReplaceAll(message, "google.protobuf.Timestamp", "timestamp")
}

func unknownName(name string, names []string) string {
	switch name {
	case "null":
		return noNull
	case "old":
		return "old.<column> is the record before the change; it exists in the conditions and values of business rules, for the columns of the table"
	case "caller":
		return "caller has " + strings.Join(callerFields, ", ")
	case "all", "exists":
		return name + " works over the records of a relation, such as orders.exists(o, o.total > 100), and over lists in flows; to test a column, use isNull"
	case "has", "exists_one", "map", "filter":
		return name + " works in flows only; to test a column, use isNull"
	}
	msg := "there is nothing called " + name
	if slices.Contains(choosing, strings.ToLower(name)) {
		return msg + "; write condition ? a : b"
	}
	all := slices.Clone(names)
	for _, f := range Functions {
		all = append(all, f.Name)
	}
	word := core.Suggest(strings.ToLower(name), slices.Sorted(maps.Keys(elsewhere)))
	if word != "" && !strings.EqualFold(word[:1], name[:1]) {
		word = ""
	}
	near := cmp.Or(elsewhere[word], core.Suggest(name, all))
	if i := slices.IndexFunc(all, func(known string) bool { return strings.EqualFold(known, name) }); i >= 0 {
		near = all[i]
	}
	if near != "" {
		if index()[near] != nil {
			near += "()"
		}
		msg += "; did you mean " + near + "?"
	}
	return msg
}

// spellings are what other languages write, and what this one writes instead.
var spellings = map[string]string{
	"and": "write &&", "or": "write ||", "not": "write !", "=": "compare with ==, and != for what differs", ">": "compare with ==, != for what differs, >= or <=", ":": "an expression sets nothing; compare with ==",
	"between": "write x >= a && x <= b", "like": "write x.contains('a'), x.startsWith('a') or x.endsWith('a')", "is": "write isNull(x)", ",": "write a decimal with a point, as in 1.5",
	"‘": "write straight quotes", "’": "write straight quotes", "“": "write straight quotes", "”": "write straight quotes", "&": "write &&, or + to join texts", "|": "write ||",
}

// choosing are the names by which other languages choose between two values.
var choosing = []string{"if", "iif", "case", "when"}

// elsewhere are names that functions have in other languages.
var elsewhere = map[string]string{
	"length": "size", "len": "size", "char_length": "size", "lowerascii": "lower", "tolower": "lower", "tolowercase": "lower", "upperascii": "upper",
	"toupper": "upper", "touppercase": "upper", "ifnull": "coalesce", "iferror": "coalesce", "nvl": "coalesce", "is_null": "isNull", "isempty": "isNull", "substr": "substring", "mid": "substring",
	"concat": "join", "concatenate": "join", "textjoin": "join", "least": "min", "greatest": "max", "ceiling": "ceil", "truncate": "trunc", "current_date": "today", "current_timestamp": "now",
	"dateadd": "addDays", "datediff": "daysBetween", "edate": "addMonths", "eomonth": "endOf", "datetrunc": "startOf", "date_trunc": "startOf", "weeknum": "week", "isoweeknum": "week", "dayofweek": "weekday",
	"workday": "addWorkdays", "networkdays": "workdaysBetween", "indexof": "find", "search": "find", "strpos": "find", "instr": "find", "position": "find", "split_part": "splitPart", "split": "splitPart",
	"proper": "title", "initcap": "title", "lpad": "padLeft", "rpad": "padRight", "rept": "repeat", "substitute": "replace", "modulo": "mod", "pow": "power", "switch": "pick", "to_char": "format",
	"json_value": "textAt", "has_any": "containsAny", "has_all": "containsAll",
}

// words are the types as authors call them.
var words = map[string]string{"string": "text", "int": "integer", "double": "float", "bool": "boolean", "dyn": "anything"}

func word(typ string) string {
	typ = strings.ReplaceAll(typ, "google.protobuf.Timestamp", "timestamp")
	if item, ok := strings.CutPrefix(typ, "list("); ok {
		return "list of " + word(strings.TrimSuffix(item, ")"))
	}
	if w, ok := words[typ]; ok {
		return w
	}
	return typ
}

func wordsOf(types []string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = word(t)
	}
	return out
}

// aWord is word with its article.
func aWord(typ string) string {
	w := word(typ)
	if strings.ContainsRune("aeiou", rune(w[0])) {
		return "an " + w
	}
	return "a " + w
}

const noNull = "there is no null: test with isNull(x), replace with coalesce(x, y)"

// zoneHint says how what has a time zone meets what has none.
const zoneHint = "say that it is in UTC with timestamp(x) or datetime(x)"

// mismatch explains that a function does not take the types.
func mismatch(function, types string) string {
	target, rest, member := strings.Cut(types, ".(")
	args := strings.Split(strings.Trim(types, "()"), ", ")
	if strings.HasPrefix(types, "(") && strings.Contains(types, "list(") {
		args = strings.Split(strings.TrimSuffix(strings.TrimPrefix(types, "("), ")"), ", ")
	}
	if member {
		args = []string{target}
		if rest = strings.TrimSuffix(rest, ")"); rest != "" {
			args = append(args, strings.Split(rest, ", ")...)
		}
	}
	args = wordsOf(args)
	name := strings.TrimPrefix(strings.Trim(strings.ReplaceAll(function, "@in", "in"), "_"), "@")
	if function == "_?_:_" {
		return "the condition before ? is a boolean, and both sides of : have one type; here they are " + strings.Join(args, ", ")
	}
	msg := name + " does not take " + strings.Join(args, ", ")
	if (strings.HasPrefix(function, "_") || function == "@in") && len(args) == 2 {
		msg = args[0] + " " + name + " " + args[1] + " does not work"
	}
	if f := index()[function]; f != nil && !strings.Contains(function, "_") && len(f.Overloads) <= 4 {
		var takes []string
		for _, o := range f.Overloads {
			before, _, _ := strings.Cut(o.Signature, ": ")
			takes = append(takes, "("+strings.Join(wordsOf(strings.Split(before, ", ")), ", ")+")")
		}
		msg += "; it takes " + strings.Join(takes, " or ")
	}
	has := func(w string) bool { return slices.Contains(args, w) }
	switch {
	case has("json"):
		msg += "; test a JSON column with isNull, look into it with textAt, numberAt, booleanAt, sizeAt and hasAt"
	case has("choices") && has("text"):
		msg += "; ask for a value with 'a' in x"
	case has("boolean") && has("text"):
		msg += "; true and false are written without quotes"
	case has("float"):
		msg += "; make a float exact with decimal(x)"
	case has("timestamp") && has("datetime"):
		msg += "; one has a time zone and the other has none: " + zoneHint
	case has("duration"):
		msg += "; add a duration to a time or to another, multiply it with an integer, compare it with duration('PT1H30M')"
	case has("datetime"):
		msg += "; compare it with datetime('2024-12-31T12:00:00'), move it with a duration or with addDays"
	case has("timestamp"):
		msg += "; move a date with addDays, compare it with date('2024-12-31')"
	case has("text") && (has("integer") || has("decimal")):
		msg += "; convert with string(x), int(x) or decimal(x)"
	}
	return msg
}
