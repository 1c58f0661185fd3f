// Package format reads and writes rows as files: CSV, NDJSON, Parquet and XLSX in, CSV, NDJSON and Parquet out.
//
// CSV and NDJSON are streams and take the memory of a row. Parquet and XLSX keep their directory at the end and are read from a
// file or from memory. The package knows columns and kinds; it never knows a table, a caller or a database.
package format
