// Package dbtest is what every dialect must do, as tests, and gives other packages' tests a database to work on.
//
// It is imported by tests only.
package dbtest
