package core

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// namePattern is what a table or column may be called: the same name serves GraphQL, SQL and expressions.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,58}$`)

// reserved are the words that the expression language keeps for itself.
var reserved = strings.Fields("true false null in as break const continue else for function if import let loop package namespace return var void while caller old now today row self")

// reservedColumns are columns that PostgreSQL gives to every table.
var reservedColumns = strings.Fields("ctid xmin xmax cmin cmax tableoid")

// reservedTables start the names of tables that libraries keep in the same database.
var reservedTables = []string{"river_", "pg_", "sqlite_", "information_schema"}

// CheckName returns an error when name is no good name for what is named ("table", "column", ...).
func CheckName(what, name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "__") || strings.HasSuffix(name, "_") {
		return E("core.CheckName", Invalid, fmt.Sprintf("%q is no name for a %s: use lower-case letters, digits and single underscores, a letter first, at most 59 characters, like order_line", name, what))
	}
	if slices.Contains(reserved, name) {
		return E("core.CheckName", Invalid, fmt.Sprintf("%q is a word of the expression language: choose another name for the %s", name, what))
	}
	return nil
}

func checkColumnName(name string) error {
	if slices.Contains(reservedColumns, name) {
		return E("core.CheckName", Invalid, fmt.Sprintf("PostgreSQL has a column %q of its own in every table: choose another name", name))
	}
	return CheckName("column", name)
}

func checkTableName(name string) error {
	if err := CheckName("table", name); err != nil {
		return err
	}
	for _, p := range reservedTables {
		if strings.HasPrefix(name, p) {
			return E("core.CheckName", Invalid, fmt.Sprintf("table names that start with %q are taken by the database", p))
		}
	}
	return nil
}

// Suggest returns the member of have that differs least from name, "" when none is near.
func Suggest(name string, have []string) string {
	best, bestAt := "", len(name)/3+2
	for _, h := range have {
		if d := distance(name, h, bestAt); d < bestAt {
			best, bestAt = h, d
		}
	}
	return best
}

// distance is the Levenshtein distance of a and b in bytes, or limit when it is not below it.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := diagonal
			if a[i-1] != b[j-1] {
				d = 1 + min(diagonal, row[j], row[j-1])
			}
			diagonal, row[j] = row[j], d
		}
	}
	return min(row[len(b)], limit)
}
