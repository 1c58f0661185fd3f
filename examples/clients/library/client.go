// Made by colonnade codegen: make it anew when the schema changes, in place of editing it.

package library

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Client asks a server, under the rights of a key. It may be used by many at once.
type Client struct {
	URL  string       // of /graphql
	Key  string       // an API key
	HTTP *http.Client // http.DefaultClient when nil
}

// Error is why a request failed.
type Error struct {
	Message    string
	Path       []any
	Extensions struct{ Code, Kind, Table, Column, Rule string }
}

func (e *Error) Error() string { return e.Message }

// Opt is a value that may be left out. The zero value is left out; [Null] clears what is there.
type Opt[T any] struct {
	set   bool
	value *T
}

// Some is a value.
func Some[T any](v T) Opt[T] { return Opt[T]{true, &v} }

// Null is no value, which differs from one that is left out.
func Null[T any]() Opt[T] { return Opt[T]{set: true} }

// IsZero reports whether the value is left out.
func (o Opt[T]) IsZero() bool { return !o.set }

// MarshalJSON implements json.Marshaler.
func (o Opt[T]) MarshalJSON() ([]byte, error) { return json.Marshal(o.value) }

// Ptr returns a pointer to v, for conditions.
func Ptr[T any](v T) *T { return &v }

// List says which records, in which order. The zero value is the first 100.
type List[W, O any] struct {
	Where   *W
	OrderBy []O
	Limit   int // 100 when 0
	Offset  int
}

type argument struct {
	name, typ string
	value     any
}

func (l List[W, O]) arguments(table string) (out []argument) {
	if l.Where != nil {
		out = append(out, argument{"where", table + "_bool_exp", l.Where})
	}
	if len(l.OrderBy) > 0 {
		out = append(out, argument{"order_by", "[" + table + "_order_by!]", l.OrderBy})
	}
	if l.Limit != 0 {
		out = append(out, argument{"limit", "Int", l.Limit})
	}
	if l.Offset != 0 {
		out = append(out, argument{"offset", "Int", l.Offset})
	}
	return out
}

// ask sends an operation with one field and reads its answer into out. Every value is a variable.
func (c *Client) ask(ctx context.Context, kind, field, selection string, args []argument, out any) error {
	declared, given, variables := []string{}, []string{}, map[string]any{}
	for _, a := range args {
		declared = append(declared, "$"+a.name+": "+a.typ)
		given = append(given, a.name+": $"+a.name)
		variables[a.name] = a.value
	}
	document := kind
	if len(args) > 0 {
		document += "(" + strings.Join(declared, ", ") + ")"
		field += "(" + strings.Join(given, ", ") + ")"
	}
	var data struct{ Answer json.RawMessage }
	if err := c.Send(ctx, document+" { answer: "+field+" { "+selection+" } }", variables, &data); err != nil {
		return err
	}
	return json.Unmarshal(data.Answer, out)
}

func (c *Client) count(ctx context.Context, table string, where any, all bool) (int, error) {
	var args []argument
	if !all {
		args = []argument{{"where", table + "_bool_exp", where}}
	}
	var out struct{ Aggregate struct{ Count int } }
	err := c.ask(ctx, "query", table+"_aggregate", "aggregate { count }", args, &out)
	return out.Aggregate.Count, err
}

// Send sends any document and reads its data into out. An error of the server is an [*Error].
func (c *Client) Send(ctx context.Context, document string, variables map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.Key)
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []*Error
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the server answers %s, and not with JSON: %w", res.Status, err)
	}
	if len(answer.Errors) > 0 {
		return answer.Errors[0]
	}
	return json.Unmarshal(answer.Data, out)
}

// BooleanComparisonExp: Conditions on a Boolean: all of them must hold.
type BooleanComparisonExp struct {
	// Equal.
	Eq *bool `json:"_eq,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []bool `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Not equal.
	Neq *bool `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []bool `json:"_nin,omitzero"`
}

// IntComparisonExp: Conditions on a Int: all of them must hold.
type IntComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []int `json:"_between,omitzero"`
	// Equal.
	Eq *int `json:"_eq,omitzero"`
	// Greater.
	Gt *int `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *int `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []int `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *int `json:"_lt,omitzero"`
	// Less or equal.
	Lte *int `json:"_lte,omitzero"`
	// Not equal.
	Neq *int `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []int `json:"_nin,omitzero"`
}

// StringComparisonExp: Conditions on a String: all of them must hold.
type StringComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []string `json:"_between,omitzero"`
	// Equal.
	Eq *string `json:"_eq,omitzero"`
	// Greater.
	Gt *string `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *string `json:"_gte,omitzero"`
	// Like a pattern, in upper or lower case.
	Ilike *string `json:"_ilike,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []string `json:"_in,omitzero"`
	// A regular expression finds something in it, in upper or lower case.
	Iregex *string `json:"_iregex,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Like a pattern: % stands for any characters, _ for one.
	Like *string `json:"_like,omitzero"`
	// Less.
	Lt *string `json:"_lt,omitzero"`
	// Less or equal.
	Lte *string `json:"_lte,omitzero"`
	// Not equal.
	Neq *string `json:"_neq,omitzero"`
	// Not like a pattern, in upper or lower case.
	Nilike *string `json:"_nilike,omitzero"`
	// Equal to none of them.
	Nin []string `json:"_nin,omitzero"`
	// A regular expression finds nothing in it, in upper or lower case.
	Niregex *string `json:"_niregex,omitzero"`
	// Not like a pattern.
	Nlike *string `json:"_nlike,omitzero"`
	// A regular expression finds nothing in it.
	Nregex *string `json:"_nregex,omitzero"`
	// Not like a pattern of SIMILAR TO.
	Nsimilar *string `json:"_nsimilar,omitzero"`
	// A regular expression (RE2) finds something in it.
	Regex *string `json:"_regex,omitzero"`
	// Like a pattern of SIMILAR TO in SQL, where % and _ are wild and | * + ? {m,n} ( ) [ ] are those of regular expressions.
	Similar *string `json:"_similar,omitzero"`
	// Begins with it.
	StartsWith *string `json:"_starts_with,omitzero"`
}

// BigintCastExp: Conditions on a bigint as another type.
type BigintCastExp struct {
	String *StringComparisonExp `json:"String,omitzero"`
}

// BigintComparisonExp: Conditions on a bigint: all of them must hold.
type BigintComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []int64 `json:"_between,omitzero"`
	// As a text.
	Cast *BigintCastExp `json:"_cast,omitzero"`
	// Equal.
	Eq *int64 `json:"_eq,omitzero"`
	// Greater.
	Gt *int64 `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *int64 `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []int64 `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *int64 `json:"_lt,omitzero"`
	// Less or equal.
	Lte *int64 `json:"_lte,omitzero"`
	// Not equal.
	Neq *int64 `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []int64 `json:"_nin,omitzero"`
}

// BookBoolExp: A condition on a record of book: all of the fields must hold. An empty one always holds.
type BookBoolExp struct {
	// All of them hold.
	And []BookBoolExp `json:"_and,omitzero"`
	// It does not hold.
	Not *BookBoolExp `json:"_not,omitzero"`
	// One of them holds; an empty list never does.
	Or        []BookBoolExp             `json:"_or,omitzero"`
	CreatedAt *TimestamptzComparisonExp `json:"created_at,omitzero"`
	CreatedBy *UuidComparisonExp        `json:"created_by,omitzero"`
	Genre     *StringComparisonExp      `json:"genre,omitzero"`
	ID        *UuidComparisonExp        `json:"id,omitzero"`
	Isbn      *StringComparisonExp      `json:"isbn,omitzero"`
	Keywords  *JsonbComparisonExp       `json:"keywords,omitzero"`
	Loans     *LoanBoolExp              `json:"loans,omitzero"`
	// A condition on values over the records of loans.
	LoansAggregate *LoanAggregateBoolExp     `json:"loans_aggregate,omitzero"`
	Pages          *BigintComparisonExp      `json:"pages,omitzero"`
	Price          *NumericComparisonExp     `json:"price,omitzero"`
	Title          *StringComparisonExp      `json:"title,omitzero"`
	UpdatedAt      *TimestamptzComparisonExp `json:"updated_at,omitzero"`
	UpdatedBy      *UuidComparisonExp        `json:"updated_by,omitzero"`
	Version        *BigintComparisonExp      `json:"version,omitzero"`
}

// BookConstraint is one of the values below.
type BookConstraint string

const (
	BookConstraintBookIsbnKey BookConstraint = "book_isbn_key"
	BookConstraintBookPkey    BookConstraint = "book_pkey"
)

// BookInsertInput: A new record of book, with what belongs to it.
type BookInsertInput struct {
	// One of novel, poems, science.
	Genre Opt[string] `json:"genre,omitzero"`
	// The primary key.
	ID       Opt[string]                `json:"id,omitzero"`
	Isbn     Opt[string]                `json:"isbn,omitzero"`
	Keywords Opt[json.RawMessage]       `json:"keywords,omitzero"`
	Loans    Opt[LoanArrRelInsertInput] `json:"loans,omitzero"`
	Pages    Opt[int64]                 `json:"pages,omitzero"`
	Price    Opt[json.Number]           `json:"price,omitzero"`
	Title    Opt[string]                `json:"title,omitzero"`
}

// BookKeyInput: A record of book that exists, by one of its keys.
type BookKeyInput struct {
	// The primary key.
	ID   *string `json:"id,omitzero"`
	Isbn *string `json:"isbn,omitzero"`
}

// BookObjRelInsertInput: A new record of book that another looks up, or one that exists.
type BookObjRelInsertInput struct {
	// The new record.
	Data Opt[BookInsertInput] `json:"data,omitzero"`
	// Instead of data: a record that exists.
	Key Opt[BookKeyInput] `json:"key,omitzero"`
	// What to do with a record that exists; without it, that is an error.
	OnConflict Opt[BookOnConflict] `json:"on_conflict,omitzero"`
}

// BookObjRelUpdateInput: A record of book that another is to look up.
type BookObjRelUpdateInput struct {
	Key BookKeyInput `json:"key,omitzero"`
}

// BookOnConflict
type BookOnConflict struct {
	// The key by which a record exists.
	Constraint BookConstraint `json:"constraint,omitzero"`
	// Which records are written.
	Mode *ConflictMode `json:"mode,omitzero"`
	// What to take over; nothing to leave the record as it is.
	UpdateColumns []BookUpdateColumn `json:"update_columns,omitzero"`
	// Only a record that meets it is changed.
	Where *BookBoolExp `json:"where,omitzero"`
}

// BookOrderBy: How to sort records of book.
type BookOrderBy struct {
	CreatedAt      *OrderBy              `json:"created_at,omitzero"`
	CreatedBy      *OrderBy              `json:"created_by,omitzero"`
	Genre          *OrderBy              `json:"genre,omitzero"`
	ID             *OrderBy              `json:"id,omitzero"`
	Isbn           *OrderBy              `json:"isbn,omitzero"`
	LoansAggregate *LoanAggregateOrderBy `json:"loans_aggregate,omitzero"`
	Pages          *OrderBy              `json:"pages,omitzero"`
	Price          *OrderBy              `json:"price,omitzero"`
	Title          *OrderBy              `json:"title,omitzero"`
	UpdatedAt      *OrderBy              `json:"updated_at,omitzero"`
	UpdatedBy      *OrderBy              `json:"updated_by,omitzero"`
	Version        *OrderBy              `json:"version,omitzero"`
}

// BookSetInput
type BookSetInput struct {
	// One of novel, poems, science.
	Genre    Opt[string]          `json:"genre,omitzero"`
	Isbn     Opt[string]          `json:"isbn,omitzero"`
	Keywords Opt[json.RawMessage] `json:"keywords,omitzero"`
	Pages    Opt[int64]           `json:"pages,omitzero"`
	Price    Opt[json.Number]     `json:"price,omitzero"`
	Title    Opt[string]          `json:"title,omitzero"`
}

// BookUpdateColumn is one of the values below.
type BookUpdateColumn string

const (
	BookUpdateColumnGenre    BookUpdateColumn = "genre"
	BookUpdateColumnIsbn     BookUpdateColumn = "isbn"
	BookUpdateColumnKeywords BookUpdateColumn = "keywords"
	BookUpdateColumnPages    BookUpdateColumn = "pages"
	BookUpdateColumnPrice    BookUpdateColumn = "price"
	BookUpdateColumnTitle    BookUpdateColumn = "title"
)

// ConflictMode is one of the values below.
type ConflictMode string

const (
	ConflictModeCreateOnly ConflictMode = "create_only"
	ConflictModeUpdateOnly ConflictMode = "update_only"
	ConflictModeUpsert     ConflictMode = "upsert"
)

// DateCastExp: Conditions on a date as another type.
type DateCastExp struct {
	String *StringComparisonExp `json:"String,omitzero"`
}

// DateComparisonExp: Conditions on a date: all of them must hold.
type DateComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []string `json:"_between,omitzero"`
	// As a text.
	Cast *DateCastExp `json:"_cast,omitzero"`
	// Equal.
	Eq *string `json:"_eq,omitzero"`
	// Greater.
	Gt *string `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *string `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []string `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *string `json:"_lt,omitzero"`
	// Less or equal.
	Lte *string `json:"_lte,omitzero"`
	// Not equal.
	Neq *string `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []string `json:"_nin,omitzero"`
	// In a range relative to now: today, this_month, last_week, last_30_days, next_2_hours; " in " and a time zone may follow, as in "today in Europe/Berlin".
	RelDate *string `json:"_rel_date,omitzero"`
}

// JsonbCastExp: Conditions on a jsonb as another type.
type JsonbCastExp struct {
	String *StringComparisonExp `json:"String,omitzero"`
}

// JsonbComparisonExp: Conditions on a jsonb: all of them must hold.
type JsonbComparisonExp struct {
	// As a text.
	Cast *JsonbCastExp `json:"_cast,omitzero"`
	// Of JSON: the value has all that it has. Of choices: has nothing else than them; no value holds.
	ContainedIn *json.RawMessage `json:"_contained_in,omitzero"`
	// Of JSON: has all that the value has. Of choices: has every one of them; no value has none.
	Contains *json.RawMessage `json:"_contains,omitzero"`
	// Equal.
	Eq *json.RawMessage `json:"_eq,omitzero"`
	// Has the key, or is a list with that text.
	HasKey *string `json:"_has_key,omitzero"`
	// Has all of the keys.
	HasKeysAll []string `json:"_has_keys_all,omitzero"`
	// Has one of the keys.
	HasKeysAny []string `json:"_has_keys_any,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []json.RawMessage `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Not equal.
	Neq *json.RawMessage `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []json.RawMessage `json:"_nin,omitzero"`
}

// LoanAggregateBoolExp: Conditions on values over records of loan: all of them must hold.
type LoanAggregateBoolExp struct {
	// All of them hold.
	And []LoanAggregateBoolExp `json:"_and,omitzero"`
	// It does not hold.
	Not *LoanAggregateBoolExp `json:"_not,omitzero"`
	// One of them holds; an empty list never does.
	Or         []LoanAggregateBoolExp        `json:"_or,omitzero"`
	Avg        *LoanAggregateBoolExpNumbers  `json:"avg,omitzero"`
	BoolAnd    *LoanAggregateBoolExpBooleans `json:"bool_and,omitzero"`
	BoolOr     *LoanAggregateBoolExpBooleans `json:"bool_or,omitzero"`
	Count      *LoanAggregateBoolExpCount    `json:"count,omitzero"`
	Max        *LoanAggregateBoolExpNumbers  `json:"max,omitzero"`
	Min        *LoanAggregateBoolExpNumbers  `json:"min,omitzero"`
	StddevSamp *LoanAggregateBoolExpNumbers  `json:"stddev_samp,omitzero"`
	Sum        *LoanAggregateBoolExpNumbers  `json:"sum,omitzero"`
	VarSamp    *LoanAggregateBoolExpNumbers  `json:"var_samp,omitzero"`
}

// LoanAggregateBoolExpBooleans: Whether all are true, or one is; it is null over none.
type LoanAggregateBoolExpBooleans struct {
	// What it is made of.
	Arguments LoanAggregateBooleanColumn `json:"arguments,omitzero"`
	// Only records that meet it.
	Filter *LoanBoolExp `json:"filter,omitzero"`
	// What the value is compared with.
	Predicate BooleanComparisonExp `json:"predicate,omitzero"`
}

// LoanAggregateBoolExpCount: How many records there are; with arguments, how many where one of them is not null.
type LoanAggregateBoolExpCount struct {
	// What it is made of.
	Arguments []LoanSelectColumn `json:"arguments,omitzero"`
	// Records that are equal in all of arguments count once.
	Distinct *bool `json:"distinct,omitzero"`
	// Only records that meet it.
	Filter *LoanBoolExp `json:"filter,omitzero"`
	// What the value is compared with.
	Predicate IntComparisonExp `json:"predicate,omitzero"`
}

// LoanAggregateBoolExpNumbers: A value over numbers; it is null over none.
type LoanAggregateBoolExpNumbers struct {
	// What it is made of.
	Arguments LoanAggregateNumberColumn `json:"arguments,omitzero"`
	// Only records that meet it.
	Filter *LoanBoolExp `json:"filter,omitzero"`
	// What the value is compared with.
	Predicate NumericComparisonExp `json:"predicate,omitzero"`
}

// LoanAggregateBooleanColumn is one of the values below.
type LoanAggregateBooleanColumn string

const (
	LoanAggregateBooleanColumnReturned LoanAggregateBooleanColumn = "returned"
)

// LoanAggregateNumberColumn is one of the values below.
type LoanAggregateNumberColumn string

const (
	LoanAggregateNumberColumnVersion LoanAggregateNumberColumn = "version"
)

// LoanAggregateOrderBy: How to sort by values over records of loan.
type LoanAggregateOrderBy struct {
	Avg        *LoanAggregateOrderByNumbers `json:"avg,omitzero"`
	Count      *OrderBy                     `json:"count,omitzero"`
	Max        *LoanAggregateOrderByValues  `json:"max,omitzero"`
	Min        *LoanAggregateOrderByValues  `json:"min,omitzero"`
	Stddev     *LoanAggregateOrderByNumbers `json:"stddev,omitzero"`
	StddevPop  *LoanAggregateOrderByNumbers `json:"stddev_pop,omitzero"`
	StddevSamp *LoanAggregateOrderByNumbers `json:"stddev_samp,omitzero"`
	Sum        *LoanAggregateOrderByNumbers `json:"sum,omitzero"`
	VarPop     *LoanAggregateOrderByNumbers `json:"var_pop,omitzero"`
	VarSamp    *LoanAggregateOrderByNumbers `json:"var_samp,omitzero"`
	Variance   *LoanAggregateOrderByNumbers `json:"variance,omitzero"`
}

// LoanAggregateOrderByNumbers
type LoanAggregateOrderByNumbers struct {
	Version *OrderBy `json:"version,omitzero"`
}

// LoanAggregateOrderByValues
type LoanAggregateOrderByValues struct {
	BookID    *OrderBy `json:"book_id,omitzero"`
	CreatedAt *OrderBy `json:"created_at,omitzero"`
	CreatedBy *OrderBy `json:"created_by,omitzero"`
	Due       *OrderBy `json:"due,omitzero"`
	ID        *OrderBy `json:"id,omitzero"`
	Reader    *OrderBy `json:"reader,omitzero"`
	UpdatedAt *OrderBy `json:"updated_at,omitzero"`
	UpdatedBy *OrderBy `json:"updated_by,omitzero"`
	Version   *OrderBy `json:"version,omitzero"`
}

// LoanArrRelInsertInput: New records of loan that look up another.
type LoanArrRelInsertInput struct {
	Data []LoanInsertInput `json:"data,omitzero"`
	// What to do with a record that exists; without it, that is an error.
	OnConflict Opt[LoanOnConflict] `json:"on_conflict,omitzero"`
}

// LoanBoolExp: A condition on a record of loan: all of the fields must hold. An empty one always holds.
type LoanBoolExp struct {
	// All of them hold.
	And []LoanBoolExp `json:"_and,omitzero"`
	// It does not hold.
	Not *LoanBoolExp `json:"_not,omitzero"`
	// One of them holds; an empty list never does.
	Or        []LoanBoolExp             `json:"_or,omitzero"`
	Book      *BookBoolExp              `json:"book,omitzero"`
	BookID    *UuidComparisonExp        `json:"book_id,omitzero"`
	CreatedAt *TimestamptzComparisonExp `json:"created_at,omitzero"`
	CreatedBy *UuidComparisonExp        `json:"created_by,omitzero"`
	Due       *DateComparisonExp        `json:"due,omitzero"`
	ID        *UuidComparisonExp        `json:"id,omitzero"`
	Reader    *StringComparisonExp      `json:"reader,omitzero"`
	Returned  *BooleanComparisonExp     `json:"returned,omitzero"`
	UpdatedAt *TimestamptzComparisonExp `json:"updated_at,omitzero"`
	UpdatedBy *UuidComparisonExp        `json:"updated_by,omitzero"`
	Version   *BigintComparisonExp      `json:"version,omitzero"`
}

// LoanConstraint is one of the values below.
type LoanConstraint string

const (
	LoanConstraintLoanPkey LoanConstraint = "loan_pkey"
)

// LoanInsertInput: A new record of loan, with what belongs to it.
type LoanInsertInput struct {
	Book   Opt[BookObjRelInsertInput] `json:"book,omitzero"`
	BookID Opt[string]                `json:"book_id,omitzero"`
	Due    Opt[string]                `json:"due,omitzero"`
	// The primary key.
	ID       Opt[string] `json:"id,omitzero"`
	Reader   Opt[string] `json:"reader,omitzero"`
	Returned Opt[bool]   `json:"returned,omitzero"`
}

// LoanOnConflict
type LoanOnConflict struct {
	// The key by which a record exists.
	Constraint LoanConstraint `json:"constraint,omitzero"`
	// Which records are written.
	Mode *ConflictMode `json:"mode,omitzero"`
	// What to take over; nothing to leave the record as it is.
	UpdateColumns []LoanUpdateColumn `json:"update_columns,omitzero"`
	// Only a record that meets it is changed.
	Where *LoanBoolExp `json:"where,omitzero"`
}

// LoanOrderBy: How to sort records of loan.
type LoanOrderBy struct {
	Book      *BookOrderBy `json:"book,omitzero"`
	BookID    *OrderBy     `json:"book_id,omitzero"`
	CreatedAt *OrderBy     `json:"created_at,omitzero"`
	CreatedBy *OrderBy     `json:"created_by,omitzero"`
	Due       *OrderBy     `json:"due,omitzero"`
	ID        *OrderBy     `json:"id,omitzero"`
	Reader    *OrderBy     `json:"reader,omitzero"`
	Returned  *OrderBy     `json:"returned,omitzero"`
	UpdatedAt *OrderBy     `json:"updated_at,omitzero"`
	UpdatedBy *OrderBy     `json:"updated_by,omitzero"`
	Version   *OrderBy     `json:"version,omitzero"`
}

// LoanSelectColumn is one of the values below.
type LoanSelectColumn string

const (
	LoanSelectColumnBookID    LoanSelectColumn = "book_id"
	LoanSelectColumnCreatedAt LoanSelectColumn = "created_at"
	LoanSelectColumnCreatedBy LoanSelectColumn = "created_by"
	LoanSelectColumnDue       LoanSelectColumn = "due"
	LoanSelectColumnID        LoanSelectColumn = "id"
	LoanSelectColumnReader    LoanSelectColumn = "reader"
	LoanSelectColumnReturned  LoanSelectColumn = "returned"
	LoanSelectColumnUpdatedAt LoanSelectColumn = "updated_at"
	LoanSelectColumnUpdatedBy LoanSelectColumn = "updated_by"
	LoanSelectColumnVersion   LoanSelectColumn = "version"
)

// LoanSetInput
type LoanSetInput struct {
	// Instead of book_id: the record by one of its keys.
	Book     Opt[BookObjRelUpdateInput] `json:"book,omitzero"`
	BookID   Opt[string]                `json:"book_id,omitzero"`
	Due      Opt[string]                `json:"due,omitzero"`
	Reader   Opt[string]                `json:"reader,omitzero"`
	Returned Opt[bool]                  `json:"returned,omitzero"`
}

// LoanUpdateColumn is one of the values below.
type LoanUpdateColumn string

const (
	LoanUpdateColumnBookID   LoanUpdateColumn = "book_id"
	LoanUpdateColumnDue      LoanUpdateColumn = "due"
	LoanUpdateColumnReader   LoanUpdateColumn = "reader"
	LoanUpdateColumnReturned LoanUpdateColumn = "returned"
)

// NumericCastExp: Conditions on a numeric as another type.
type NumericCastExp struct {
	String *StringComparisonExp `json:"String,omitzero"`
}

// NumericComparisonExp: Conditions on a numeric: all of them must hold.
type NumericComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []json.Number `json:"_between,omitzero"`
	// As a text.
	Cast *NumericCastExp `json:"_cast,omitzero"`
	// Equal.
	Eq *json.Number `json:"_eq,omitzero"`
	// Greater.
	Gt *json.Number `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *json.Number `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []json.Number `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *json.Number `json:"_lt,omitzero"`
	// Less or equal.
	Lte *json.Number `json:"_lte,omitzero"`
	// Not equal.
	Neq *json.Number `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []json.Number `json:"_nin,omitzero"`
}

// OrderBy is one of the values below.
type OrderBy string

const (
	OrderByAsc            OrderBy = "asc"
	OrderByAscNullsFirst  OrderBy = "asc_nulls_first"
	OrderByAscNullsLast   OrderBy = "asc_nulls_last"
	OrderByDesc           OrderBy = "desc"
	OrderByDescNullsFirst OrderBy = "desc_nulls_first"
	OrderByDescNullsLast  OrderBy = "desc_nulls_last"
)

// TimestamptzComparisonExp: Conditions on a timestamptz: all of them must hold.
type TimestamptzComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []string `json:"_between,omitzero"`
	// Equal.
	Eq *string `json:"_eq,omitzero"`
	// Greater.
	Gt *string `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *string `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []string `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *string `json:"_lt,omitzero"`
	// Less or equal.
	Lte *string `json:"_lte,omitzero"`
	// Not equal.
	Neq *string `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []string `json:"_nin,omitzero"`
	// In a range relative to now: today, this_month, last_week, last_30_days, next_2_hours; " in " and a time zone may follow, as in "today in Europe/Berlin".
	RelDate *string `json:"_rel_date,omitzero"`
}

// UuidCastExp: Conditions on a uuid as another type.
type UuidCastExp struct {
	String *StringComparisonExp `json:"String,omitzero"`
}

// UuidComparisonExp: Conditions on a uuid: all of them must hold.
type UuidComparisonExp struct {
	// Not less than the first, and not greater than the second.
	Between []string `json:"_between,omitzero"`
	// As a text.
	Cast *UuidCastExp `json:"_cast,omitzero"`
	// Equal.
	Eq *string `json:"_eq,omitzero"`
	// Greater.
	Gt *string `json:"_gt,omitzero"`
	// Greater or equal.
	Gte *string `json:"_gte,omitzero"`
	// Equal to one of them; an empty list never holds.
	In []string `json:"_in,omitzero"`
	// Without a value (true), or with one (false).
	IsNull *bool `json:"_is_null,omitzero"`
	// Less.
	Lt *string `json:"_lt,omitzero"`
	// Less or equal.
	Lte *string `json:"_lte,omitzero"`
	// Not equal.
	Neq *string `json:"_neq,omitzero"`
	// Equal to none of them.
	Nin []string `json:"_nin,omitzero"`
}

// Book: Book
type Book struct {
	// When the record was created.
	CreatedAt *string `json:"created_at"`
	// The user who created the record.
	CreatedBy *string `json:"created_by"`
	// One of novel, poems, science.
	Genre *string `json:"genre"`
	// The primary key.
	ID       string          `json:"id"`
	Isbn     *string         `json:"isbn"`
	Keywords json.RawMessage `json:"keywords"`
	Pages    *int64          `json:"pages"`
	Price    *json.Number    `json:"price"`
	Title    *string         `json:"title"`
	// When the record was last changed.
	UpdatedAt *string `json:"updated_at"`
	// The user who last changed the record.
	UpdatedBy *string `json:"updated_by"`
	// Rises by one with every change of the record.
	Version *int64 `json:"version"`
}

const selectBook = `created_at created_by genre id isbn keywords pages price title updated_at updated_by version`

// ListBook returns records of book, 100 when no limit is given.
func (c *Client) ListBook(ctx context.Context, l List[BookBoolExp, BookOrderBy]) (out []Book, err error) {
	return out, c.ask(ctx, "query", "book", selectBook, l.arguments("book"), &out)
}

// GetBook returns the record of book with the id, or nil.
func (c *Client) GetBook(ctx context.Context, id string) (out *Book, err error) {
	return out, c.ask(ctx, "query", "book_by_pk", selectBook, []argument{{"id", "uuid!", id}}, &out)
}

// CountBook returns how many records of book meet the condition; nil counts all.
func (c *Client) CountBook(ctx context.Context, where *BookBoolExp) (int, error) {
	return c.count(ctx, "book", where, where == nil)
}

// InsertBook creates records of book: all of them, or none.
func (c *Client) InsertBook(ctx context.Context, objects ...BookInsertInput) ([]Book, error) {
	var out struct{ Returning []Book }
	err := c.ask(ctx, "mutation", "insert_book", "returning { "+selectBook+" }", []argument{{"objects", "[book_insert_input!]!", objects}}, &out)
	return out.Returning, err
}

// UpdateBook changes the record of book with the id and returns it; nil when there is none in reach.
func (c *Client) UpdateBook(ctx context.Context, id string, set BookSetInput) (out *Book, err error) {
	key := map[string]string{"id": id}
	return out, c.ask(ctx, "mutation", "update_book_by_pk", selectBook, []argument{{"pk_columns", "book_pk_columns_input!", key}, {"_set", "book_set_input", set}}, &out)
}

// DeleteBook deletes the record of book with the id and returns it as it was; nil when there is none in reach.
func (c *Client) DeleteBook(ctx context.Context, id string) (out *Book, err error) {
	return out, c.ask(ctx, "mutation", "delete_book_by_pk", selectBook, []argument{{"id", "uuid!", id}}, &out)
}

// Loan: Loan: Who has a book.
type Loan struct {
	BookID *string `json:"book_id"`
	// When the record was created.
	CreatedAt *string `json:"created_at"`
	// The user who created the record.
	CreatedBy *string `json:"created_by"`
	Due       *string `json:"due"`
	// The primary key.
	ID       string  `json:"id"`
	Reader   *string `json:"reader"`
	Returned *bool   `json:"returned"`
	// When the record was last changed.
	UpdatedAt *string `json:"updated_at"`
	// The user who last changed the record.
	UpdatedBy *string `json:"updated_by"`
	// Rises by one with every change of the record.
	Version *int64 `json:"version"`
}

const selectLoan = `book_id created_at created_by due id reader returned updated_at updated_by version`

// ListLoan returns records of loan, 100 when no limit is given.
func (c *Client) ListLoan(ctx context.Context, l List[LoanBoolExp, LoanOrderBy]) (out []Loan, err error) {
	return out, c.ask(ctx, "query", "loan", selectLoan, l.arguments("loan"), &out)
}

// GetLoan returns the record of loan with the id, or nil.
func (c *Client) GetLoan(ctx context.Context, id string) (out *Loan, err error) {
	return out, c.ask(ctx, "query", "loan_by_pk", selectLoan, []argument{{"id", "uuid!", id}}, &out)
}

// CountLoan returns how many records of loan meet the condition; nil counts all.
func (c *Client) CountLoan(ctx context.Context, where *LoanBoolExp) (int, error) {
	return c.count(ctx, "loan", where, where == nil)
}

// InsertLoan creates records of loan: all of them, or none.
func (c *Client) InsertLoan(ctx context.Context, objects ...LoanInsertInput) ([]Loan, error) {
	var out struct{ Returning []Loan }
	err := c.ask(ctx, "mutation", "insert_loan", "returning { "+selectLoan+" }", []argument{{"objects", "[loan_insert_input!]!", objects}}, &out)
	return out.Returning, err
}

// UpdateLoan changes the record of loan with the id and returns it; nil when there is none in reach.
func (c *Client) UpdateLoan(ctx context.Context, id string, set LoanSetInput) (out *Loan, err error) {
	key := map[string]string{"id": id}
	return out, c.ask(ctx, "mutation", "update_loan_by_pk", selectLoan, []argument{{"pk_columns", "loan_pk_columns_input!", key}, {"_set", "loan_set_input", set}}, &out)
}

// DeleteLoan deletes the record of loan with the id and returns it as it was; nil when there is none in reach.
func (c *Client) DeleteLoan(ctx context.Context, id string) (out *Loan, err error) {
	return out, c.ask(ctx, "mutation", "delete_loan_by_pk", selectLoan, []argument{{"id", "uuid!", id}}, &out)
}
