// Package postgres speaks PostgreSQL 14 and later, through pgx.
//
// It owns a pool of connections, which GORM shares. Answers travel as binary rows, and their JSON is written here.
// Sessions run in UTC; texts compare by bytes.
//
// It never decides what a statement says beyond its spelling.
package postgres
