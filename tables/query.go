package tables

import (
	"time"

	"colonnade/core"
)

// Query asks for records of one table and, nested in it, for related ones. It is answered by one SQL statement.
type Query struct {
	Table  string    // empty with Several
	At     time.Time // not zero: the records as they were then
	Form   Form
	Where  Cond // nil for every record
	Order  []Order
	Limit  int // rows at most; 0 for DefaultLimit, NoLimit for all (an aggregate's default)
	Offset int
	Skip   Param // the offset, in a prepared query in place of Offset; the value is an int64 above 0
	Fields []Field
	Use    core.Use // of the values of the columns among Fields, which their data classes may mask or refuse

	// Distinct names columns: of the records that are equal in all of them there is only the first in the order, which begins with
	// these columns.
	Distinct []string

	// After and Before are cursors of records, as [Field.Cursor] gives them: there are only those behind the one and in front of the
	// other, whether the record of the cursor is still there or not. With Last the limit and the offset count from the end.
	After, Before string
	Last          bool

	// Keys and Having are of [Groups], whose Order, Limit and Offset are over the groups. Having is made of [And], [Or], [Not] and
	// [Aggregated] without a relation.
	Keys   []Key
	Having Cond

	None   bool // of a [Connection], with Limit 0: not the default, but no record at all
	OrNull bool // of [One]: a table that the caller may not read, or that is not there, has no record

	// Several and Refs are of [ByRef]: which fields of which tables, and the records, in order.
	Several []Query
	Refs    []Ref

	ahead int // how many rows beyond the limit are read, too
}

// Ref is a record in a query for records of several tables.
type Ref struct {
	Of int // which of [Query.Several]; below 0 for a record that is not there
	ID core.ID
}

// Form is the form of an answer.
type Form int

// The forms.
const (
	List      Form = iota // a list of objects
	One                   // the first object, or null
	Aggregate             // one object made from all rows: fields are groups, functions and nodes
	Groups                // a list of objects, one for each combination of the keys: fields are groups, keys and functions

	Connection // a page of a list as an object with edges, as Relay has it: fields are parts
	ByRef      // a list of objects or nulls, one for each of Refs
)

// Limits of a query's size; see also [Options].
const (
	DefaultLimit = 100
	MaxLimit     = 1000
	NoLimit      = -1
)

// Field is one key of an answer. Exactly one of Column, Text, Rank, Cursor, Global, Page, Union, Query, Group, Key, Func is set; Column and Group together
// ask for what is known of a file.
type Field struct {
	As string // the key

	Column string   // the value of a column
	Text   string   // a constant, such as the name of a type
	Rank   bool     // how well the record answers the [Search] of the condition; null without one
	Cursor bool     // the place of the record in its list, for [Query.After]; null outside a list
	Global bool     // what names the record among those of all tables: see [ParseGlobalID]
	Page   PagePart // of a [Connection]; what is within is a group

	Relation string  // with Query: the relation that leads to its table
	Union    []Query // with Relation, that leads to one of several tables: what is asked of each
	Query    *Query  // nested records; without Relation, in an aggregate: the rows themselves ("nodes")

	Group []Field // an object made from the same row, or in an aggregate from the same functions; with Column: members of [FileColumns]

	Key int // in a group: which of its keys, counted from 1

	Func     string   // in an aggregate: see [Function]
	Columns  []string // of count: rows count where one of them is not null; with Func other than count, use Column
	Distinct bool     // of count
	AtMost   int      // of count: where to stop; 0 for nowhere
}

// Function is a value made of several records.
type Function struct {
	Name     string   // count, sum, avg, min, max, stddev_pop, stddev_samp, var_pop, var_samp, bool_and, bool_or
	Columns  []string // one; of count any number: records count where one of them is not null
	Distinct bool     // of count: records that are equal in all columns count once
	Where    Cond     // nil for all records
}

// Order is one term of a sort order. The primary key is always appended, so that the order is total.
type Order struct {
	Column     string
	Rank       bool     // instead of a column: how well the record answers the [Search] of the condition
	Relation   []string // the lookups that lead to the column's table
	Children   string   // the relation that leads from there to records of which Func makes a value
	Func       string   // see [Function]; the column is theirs, and there is none for count
	Key        int      // of groups, instead of a function: which of their keys, counted from 1
	Desc       bool
	NullsFirst bool // by default nulls come last when ascending, first when descending: see NullsSet
	NullsSet   bool // NullsFirst was asked for
}

// Cond is a condition on a record: [And], [Or], [Not], [Compare], [Related], [Aggregated], [Search] or [HasFile].
type Cond interface{ cond() }

// And holds when all hold; when empty it holds.
type And []Cond

// Or holds when one holds; when empty it does not.
type Or []Cond

// Not holds when the condition does not. Where the condition is unknown, so is Not.
type Not struct{ Cond Cond }

// Compare compares a column with a value.
type Compare struct {
	Column string
	Text   bool // it is compared as a text, as the API writes it; JSON with a space behind each colon and comma
	Op     CompareOp
	Value  any // as it came from the client; a list for In, NotIn, Between and the operators of choices, a bool for IsNull; for others also a [Param]
}

// CompareOp is an operator of [Compare].
type CompareOp string

// The operators. The text operators take a LIKE pattern.
const (
	Eq         CompareOp = "eq"
	NotEq      CompareOp = "neq"
	Gt         CompareOp = "gt"
	Gte        CompareOp = "gte"
	Lt         CompareOp = "lt"
	Lte        CompareOp = "lte"
	In         CompareOp = "in"
	NotIn      CompareOp = "nin"
	IsNull     CompareOp = "is_null"
	Like       CompareOp = "like"
	NotLike    CompareOp = "nlike"
	ILike      CompareOp = "ilike"
	NotILike   CompareOp = "nilike"
	StartsWith CompareOp = "starts_with"
	Between    CompareOp = "between"
	RelDate    CompareOp = "rel_date" // a time is in a range relative to now: see rangePattern

	Regex      CompareOp = "regex" // of RE2: finds something in the text
	NotRegex   CompareOp = "nregex"
	IRegex     CompareOp = "iregex"
	NotIRegex  CompareOp = "niregex"
	Similar    CompareOp = "similar" // SIMILAR TO of SQL
	NotSimilar CompareOp = "nsimilar"

	ContainsAll CompareOp = "contains" // of choices, with a list: for them NULL is like no value; of JSON, with a value
	ContainedIn CompareOp = "contained_in"
	HasAny      CompareOp = "has_any"

	HasKey     CompareOp = "has_key" // of JSON
	HasAnyKey  CompareOp = "has_keys_any"
	HasAllKeys CompareOp = "has_keys_all"
)

// Related holds when a record that the relation leads to meets the condition.
type Related struct {
	Relation string
	Target   string // of a relation that leads to one of several tables: which
	Where    Cond
}

// Aggregated holds when a value made of the records that a relation leads to compares so; without a relation, of those of a group.
type Aggregated struct {
	Relation string
	Of       Function
	Is       []Compare // without columns; all of them must hold
}

// Search holds when the words of the text are found in the searched columns that the caller may read: see [search.Parse].
type Search struct{ Text string }

// HasFile holds when the column has a file whose row of the table "_file" meets the condition.
type HasFile struct {
	Column string
	Where  Cond
}

func (And) cond()        {}
func (Or) cond()         {}
func (Not) cond()        {}
func (Compare) cond()    {}
func (Related) cond()    {}
func (Aggregated) cond() {}
func (Search) cond()     {}
func (HasFile) cond()    {}

// ByID returns the condition that a record has one of the ids.
func ByID(ids ...core.ID) Cond {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return Compare{Column: "id", Op: In, Value: list}
}
