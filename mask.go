package main

import (
	"context"
	"flag"
	"io"
	"strings"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/transfer"
)

func runMask(ctx context.Context, args []string, out io.Writer) error {
	const op = "main.mask"
	var o transfer.Masking
	f := flag.NewFlagSet("colonnade mask", flag.ContinueOnError)
	f.Var(names{&o.Logins}, "keep-login", "the address of a user who keeps name, address and password; may be given several times")
	f.Var(names{&o.Columns}, "column", "table.column: a column to replace besides those that carry a data class; may be given several times")
	if err := operation(f, args, out, 2, "colonnade mask [options] FROM TO\n\nFROM and TO are folders of embedded databases, or URLs such as postgres://user:password@localhost:5432/name. TO must be empty.\nA server may run on FROM, which stays as it is"); err != nil {
		return err
	}
	from, to := place{at: f.Arg(0)}, place{at: f.Arg(1)}
	if from.at == to.at {
		return core.E(op, core.Invalid, "FROM and TO are the same database")
	}
	var m *transfer.Masked
	p := newProgress(out, "masking")
	err := from.using(ctx, db.Options{ReadOnly: true}, func(ctx context.Context, source *copying) error {
		masker, err := source.Mask(ctx, o) // before anything is made of what is asked for in vain
		if err != nil {
			return err
		}
		return to.using(ctx, db.Options{Fill: "mask"}, func(ctx context.Context, c *copying) (err error) {
			m, err = c.MaskedCopy(ctx, masker, p.watch)
			return err
		})
	})
	p.done()
	if err != nil {
		return core.E(op, err)
	}
	say(out, "Masked copy of %s in %s: %s with %s; pseudonyms in %s: %s\nNobody but %s can sign in. All flows are off, and contents of files, keys, secrets, sessions, logs and runs are not in the copy.\n",
		from, to, core.Count(m.Tables, "table"), core.Count(m.Rows, "row"), core.Count(len(m.Columns), "column"), strings.Join(m.Columns, ", "), strings.Join(o.Logins, ", "))
	return nil
}
