package main

import (
	"context"
	"flag"
	"io"
	"net/url"

	"colonnade/core"
	"colonnade/transfer/format"
)

// runExportData writes a table of a server to a file.
func runExportData(ctx context.Context, args []string, out io.Writer) error {
	var r remote
	var table, kind, columns, where, to string
	f := flag.NewFlagSet("colonnade export-data", flag.ContinueOnError)
	r.flags(f)
	f.StringVar(&table, "table", "", "the table; needed")
	f.StringVar(&kind, "format", "", "csv, ndjson or parquet; by the name of the file when left out")
	f.StringVar(&columns, "columns", "", "the columns, separated by commas; all that you may read when left out")
	f.StringVar(&where, "where", "", `a condition as in the API, such as {"state": {"_eq": "Texas"}}`)
	f.StringVar(&to, "out", "-", "the file, which must not be there; - for standard output")
	if err := parseFlags(f, out, args); err != nil {
		return err
	}
	if table == "" || f.NArg() > 0 {
		return core.E("main.exportData", core.Invalid, "write: colonnade export-data --table TABLE --out FILE")
	}
	if err := r.check(); err != nil {
		return err
	}
	if kind == "" {
		if kind = format.ByName(to); kind == "" {
			kind = format.CSV
		}
	}
	q := url.Values{"format": {kind}}
	if columns != "" {
		q.Set("columns", columns)
	}
	if where != "" {
		q.Set("where", where)
	}
	return r.download(ctx, "/data/export/"+url.PathEscape(table), q, to, out)
}
