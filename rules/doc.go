// Package rules owns the expression language, which is CEL over the columns of a table and of the records that hang together
// with it: conditions, formulas, defaults and business rules. An expression is compiled once, type-checked against the schema,
// and then either evaluated over a record in memory or printed as SQL. Both give the same answer on every database; a test
// compares them at random.
//
// It never reads or writes a record by itself, and it never lets a literal or a name of an expression become SQL text:
// literals are bound, and columns are written by the caller of [Expr.SQL].
//
// # Other records
//
// A name that leads through lookups (customer.region) is a variable of the tree, and an aggregate (orders.sum(o, o.total)) a
// call whose operands are about the rows of another table: one tree holds an expression whole. In SQL both are
// subqueries over what a [Row] opens, so that whose rights hold is its caller's choice. In memory the outermost of them are
// [Need] values, which an [Ask] answers. [Expr.Reads] tells every column with the way there.
//
// # NULL
//
// NULL is the unknown of CEL, whose logic is that of SQL: unknown && false is false, unknown + 1 is unknown. There is no
// null literal; isNull(x) and coalesce(x, y) look at it. A value that cannot be computed is NULL too: a division by
// zero, an integer beyond 64 bits, int("twelve").
//
// # Numbers
//
// Integers are exact within 64 bits, and / truncates. Decimals are exact; a quotient has 20 digits after the point,
// rounded half away from zero. A literal with a point is a decimal, and is taken as a float where it meets a float column.
// Floats can be compared but not calculated with: decimal(x) makes an exact number of one.
//
// # Limits
//
// An [Expr] has no loops, at most 10,000 bytes, 1,000 nodes and 100 levels, so that its cost is bounded by its size; no
// counter runs while it is evaluated. A [Free] expression may loop, and is stopped at a cost of 500,000, some tenths of a second.
package rules
