// Package oracle knows what every path of the API must answer, and asks a running program.
//
// It makes up worlds at random: tables with columns of all kinds, formulas over other records, units, teams, roles and people. It sets each
// up through the actions of the API, as an administrator, and then asks as people with some of the rights. What it expects comes from a
// naive evaluator in plain Go over records in memory, which shares nothing with the program but the vocabulary of package core: the meaning
// of each formula and condition is said here a second time. When all is asked, it changes data that a person does not see and asks again:
// no byte of an answer may be another.
//
// It never looks into the database, and never calls the packages that it judges.
package oracle
