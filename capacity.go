package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"colonnade/core"
)

// capacity is the answer of report_capacity.
type capacity struct {
	Tables []struct {
		Name                                                     string
		Dropped                                                  bool
		Rows, Bytes, IndexBytes, Deleted, Versions, HistoryBytes int64
	}
	System []struct {
		Name              string
		Bytes, IndexBytes int64
	}
	Files, FileBytes int64
}

const askCapacity = `mutation { done: report_capacity {
	tables { name dropped rows bytes indexBytes: index_bytes deleted versions historyBytes: history_bytes } system { name bytes indexBytes: index_bytes }
	files fileBytes: file_bytes
} }`

// runCapacity prints how much a server holds of each table.
func runCapacity(ctx context.Context, args []string, out io.Writer) error {
	var r remote
	f := flag.NewFlagSet("colonnade capacity", flag.ContinueOnError)
	r.flags(f)
	if err := parseFlags(f, out, args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return core.E("main.capacity", core.Invalid, "write: colonnade capacity")
	}
	if err := r.check(); err != nil {
		return err
	}
	var answer struct{ Done capacity }
	if err := r.call(ctx, askCapacity, nil, &answer); err != nil {
		return err
	}
	return answer.Done.print(out)
}

func (c *capacity) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	say(w, "table\trows\tdata\tindexes\tdeleted\tversions\thistory (about)\t\n")
	sum := int64(0)
	for _, t := range c.Tables {
		if t.Dropped {
			t.Name += " (dropped)"
		}
		say(w, "%s\t%d\t%s\t%s\t%d\t%d\t%s\t\n", t.Name, t.Rows, size(t.Bytes), size(t.IndexBytes), t.Deleted, t.Versions, size(t.HistoryBytes))
		sum += t.Bytes + t.IndexBytes
	}
	for _, t := range c.System {
		say(w, "%s\t\t%s\t%s\t\t\t\t\n", t.Name, size(t.Bytes), size(t.IndexBytes))
		sum += t.Bytes + t.IndexBytes
	}
	if err := w.Flush(); err != nil {
		return err
	}
	say(out, "\n%s in tables and indexes, %s in %d files beside the database.\n", size(sum), size(c.FileBytes), c.Files)
	return nil
}

// size is a number of bytes for people, in units of 1,000.
func size(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB", "TB"} {
		if f /= 1000; f < 999.95 || unit == "TB" {
			return fmt.Sprintf("%.1f %s", f, unit)
		}
	}
	return ""
}
