// Package formula holds what functions of the expression language mean where memory and SQLite, which calls Go, compute
// them alike: the clocks of time zones, working days, periods of the calendar, patterns of numbers and dates, paths into
// JSON. PostgreSQL has their twins in SQL; a test of package rules compares the two at random.
//
// Times are in UTC unless a zone is said, and lie in the years 1 to 9999. False as second result is NULL.
package formula
