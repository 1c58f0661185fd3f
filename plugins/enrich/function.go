package enrich

import (
	"fmt"
	"slices"
	"strings"

	"colonnade/core"
)

// function is one thing that can be found out about a record from some of its columns. The second and later arguments
// may be left out.
type function struct {
	name string
	args []string // what the columns hold, for the documentation
	doc  string
	call func(args []string) any // a string, a bool, or nil when nothing can be said
}

// functions is the table of them; a new one is a new row.
var functions = []function{
	{"phone_e164", []string{"phone", "country"}, "The number as +14155552671.", func(a []string) any { return orNull(phone(a).E164) }},
	{"phone_valid", []string{"phone", "country"}, "Whether the number lies in an assigned range.", func(a []string) any { return phone(a).Valid }},
	{"phone_extension", []string{"phone", "country"}, "The extension.", func(a []string) any { return orNull(phone(a).Extension) }},
	{"phone_country", []string{"phone", "country"}, "The country of the number, as a code of two letters.", func(a []string) any { return orNull(phone(a).Country) }},
	{"phone_type", []string{"phone", "country"}, "fixed, mobile, toll_free and the like.", func(a []string) any { return orNull(phone(a).Type) }},
	{"phone_region", []string{"phone", "country"}, "The state or province that the number belongs to.", func(a []string) any {
		r, _ := RegionOfPhone(phone(a))
		return orNull(r.Name)
	}},
	{"email_address", []string{"email"}, "The address, normalised.", func(a []string) any { return orNull(ParseEmail(a[0]).Address) }},
	{"email_domain", []string{"email"}, "What stands after the @.", func(a []string) any { return orNull(ParseEmail(a[0]).Domain) }},
	{"email_valid", []string{"email"}, "Whether the address has the form of one; nobody is asked.", func(a []string) any { return ParseEmail(a[0]).Valid }},
	{"email_free", []string{"email"}, "Whether the domain gives mailboxes to anyone.", func(a []string) any { return ParseEmail(a[0]).Free }},
	{"email_role", []string{"email"}, "Whether the address is an office's, such as info@.", func(a []string) any { return ParseEmail(a[0]).Role }},
	{"name_given", []string{"name"}, "The given name.", func(a []string) any { return orNull(ParseName(a[0]).Given) }},
	{"name_family", []string{"name"}, "The family name.", func(a []string) any { return orNull(ParseName(a[0]).Family) }},
	{"name_title", []string{"name"}, "Dr, Mrs and the like.", func(a []string) any { return orNull(ParseName(a[0]).Title) }},
	{"country_code", []string{"country"}, "The country, under any of its names, as a code of two letters.", func(a []string) any {
		c, _ := FindCountry(a[0])
		return orNull(c.Code)
	}},
	{"country_name", []string{"country"}, "The country, under any of its names or codes, in English.", func(a []string) any {
		c, _ := FindCountry(a[0])
		return orNull(c.Name)
	}},
	{"postcode_region", []string{"postcode", "country"}, "The state or province that the postcode belongs to.", func(a []string) any {
		r, _ := RegionOfPostcode(second(a), a[0])
		return orNull(r.Name)
	}},
}

func phone(a []string) Phone { return ParsePhone(a[0], second(a)) }

// second returns the country among the arguments, the United States when there is none.
func second(a []string) string {
	if len(a) > 1 && a[1] != "" {
		return a[1]
	}
	return "US"
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// formula is a function with the columns that it is called with.
type formula struct {
	function
	columns []string
}

// parseFormula reads "function(column, ...)".
func parseFormula(text string) (formula, error) {
	const op = "enrich.parseFormula"
	name, rest, ok := strings.Cut(strings.TrimSpace(text), "(")
	list, ok2 := strings.CutSuffix(rest, ")")
	if !ok || !ok2 {
		return formula{}, core.E(op, core.Invalid, fmt.Sprintf("%q is not like phone_e164(phone, country)", text))
	}
	i := slices.IndexFunc(functions, func(f function) bool { return f.name == strings.TrimSpace(name) })
	if i < 0 {
		names := make([]string, len(functions))
		for i, f := range functions {
			names[i] = f.name
		}
		msg := fmt.Sprintf("there is no function %q", name)
		if near := core.Suggest(name, names); near != "" {
			msg += "; did you mean " + near + "?"
		}
		return formula{}, core.E(op, core.Invalid, msg+" There are: "+strings.Join(names, ", "))
	}
	f := formula{function: functions[i]}
	for c := range strings.SplitSeq(list, ",") {
		f.columns = append(f.columns, strings.TrimSpace(c))
	}
	if len(f.columns) > len(f.args) || f.columns[0] == "" {
		return f, core.E(op, core.Invalid, fmt.Sprintf("%s takes the columns of: %s", f.name, strings.Join(f.args, ", ")))
	}
	return f, nil
}

// of calls the function for a record; nil when the first column is empty.
func (f formula) of(r core.Record) any {
	args := make([]string, len(f.columns))
	for i, name := range f.columns {
		if v := r[name]; v != nil {
			args[i] = fmt.Sprint(v)
		}
	}
	if args[0] == "" {
		return nil
	}
	return f.call(args)
}
