package rules

import (
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"colonnade/core"
)

// dialect is what the printer must know of a database besides the templates of the functions.
type dialect struct {
	template func(o *Overload) string
	bind     func(v ref.Val) any
	cast     map[string]string // by type: what follows an argument, so that the database knows its type

	// A column is loaded when its kind is not stored in the form of its type.
	loadBefore, loadAfter map[core.Kind]string
	kindCast              map[core.Kind]string // what follows an argument in the stored form of such a kind

	among [2]string // what stands around a query for the values of which an indexed column is one
	aside string    // what stands before a column whose index is not to be used, where the database does not know better

	equality, order map[string]string // by type: what follows the right side of = and of <
	inner           map[string]inner  // by type: how values are compared within a value, where those must not stand
}

// inner are functions that take the place of a collation.
type inner struct {
	compare   string // of $1 and $2: less than, equal to or greater than 0
	canonical string // the same text for equal values
}

// converts reports whether columns of the kind are stored in another form than that of their type.
func (d *dialect) converts(k core.Kind) bool { return d.loadAfter[k] != "" }

// form names the stored form of a kind, for columns that are compared with each other.
func (d *dialect) form(k core.Kind) string { return d.loadAfter[k] }

var dialects = map[string]*dialect{
	"sqlite": {
		template:   func(o *Overload) string { return o.SQLite },
		bind:       bindSQLite,
		loadBefore: map[core.Kind]string{core.Date: "("},
		loadAfter:  map[core.Kind]string{core.Date: " || 'T00:00:00+00:00')"},
		among:      [2]string{" IN (", ")"},
		aside:      "+", // https://sqlite.org/optoverview.html, 7: disqualifying WHERE clause terms
		equality:   map[string]string{"decimal": " COLLATE decimal"},
		order:      map[string]string{"decimal": " COLLATE decimal"},
		inner:      map[string]inner{"decimal": {compare: "decimal_compare($1, $2)", canonical: "decimal_text"}},
	},
	"postgres": {
		template: func(o *Overload) string { return o.Postgres },
		bind:     bindText,
		cast: map[string]string{
			"string": "::text", "int": "::bigint", "double": "::float8", "bool": "::boolean", "timestamp": "::timestamptz", "datetime": "::timestamp", "duration": "::bigint", "decimal": "::numeric", "choices": "::jsonb", "json": "::jsonb",
		},
		loadBefore: map[core.Kind]string{core.Date: "(", core.UUID: "(", core.Lookup: "(", core.AnyLookup: "(", core.File: "(", core.Image: "("},
		loadAfter: map[core.Kind]string{
			core.Date: "::timestamp AT TIME ZONE 'UTC')", core.UUID: "::text)", core.Lookup: "::text)", core.AnyLookup: "::text)", core.File: "::text)", core.Image: "::text)",
		},
		kindCast: map[core.Kind]string{
			core.Date: "::date", core.UUID: "::uuid", core.Lookup: "::uuid", core.AnyLookup: "::uuid", core.File: "::uuid", core.Image: "::uuid",
		},
		among: [2]string{" = ANY(ARRAY(", "))"}, // IN with a query does not lead to an index beside OR
		order: map[string]string{"string": ` COLLATE "C"`},
	},
}

// bindSQLite is bindText with booleans as numbers.
func bindSQLite(v ref.Val) any {
	if b, ok := v.(types.Bool); ok {
		if b {
			return int64(1)
		}
		return int64(0)
	}
	return bindText(v)
}

// storing is what stands around an expression of that type to give it the stored form of the column.
func storing(dialect, typ string, k *core.Column) (before, after string) {
	sqlite := dialect == "sqlite"
	switch k.Kind {
	case core.Decimal:
		if k.Precision == 0 {
			break
		}
		precision, scale := strconv.Itoa(k.Precision), strconv.Itoa(k.Scale)
		if sqlite {
			return "decimal_fit(", ", " + precision + ", " + scale + ")"
		}
		bound := "1e" + strconv.Itoa(k.Precision-k.Scale)
		return "nullif(nullif(greatest(least(round((", ")::numeric, " + scale + "), " + bound + "), -" + bound + "), " + bound + "), -" + bound + ")"
	case core.Float:
		if typ == "double" {
			break
		}
		if sqlite {
			return "decimal_float(", ")"
		}
		return "(", "::float8)"
	case core.Date:
		if sqlite {
			return "substr(", ", 1, 10)"
		}
		return "((", " AT TIME ZONE 'UTC')::date)"
	}
	return "", ""
}
