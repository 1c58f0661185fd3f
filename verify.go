package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// verifying is colonnade verify.
type verifying struct {
	tables.Verify
	out   io.Writer
	shown time.Time

	signed, signer string
}

// names collects an option that may be given several times.
type names struct{ to *[]string }

// String implements flag.Value.
func (n names) String() string {
	if n.to == nil {
		return ""
	}
	return strings.Join(*n.to, ", ")
}

// Set implements flag.Value.
func (n names) Set(s string) error {
	*n.to = append(*n.to, s)
	return nil
}

func runVerify(ctx context.Context, args []string, out io.Writer) error {
	v := verifying{out: out}
	f := flag.NewFlagSet("colonnade verify", flag.ContinueOnError)
	named := placeFlags(f)
	f.StringVar(&v.Table, "table", "", "look only at the records of this table")
	f.Var(names{&v.Heads}, "head", "a head that was noted: it must be that of a seal; may be given several times")
	f.StringVar(&v.signed, "signed", "", "a file of signed heads, as sign_head and serve --heads make them, one in a line: each must be that of a seal")
	f.StringVar(&v.signer, "signer", "", "the public key that must have signed them; that of the first when left out")
	f.StringVar(&v.Since, "since", "", "a head that was noted: look only at what was sealed since")
	if err := operation(f, args, out, 0, "colonnade verify [options]\n\nA server may run meanwhile"); err != nil {
		return err
	}
	if v.signed != "" {
		heads, signer, err := readHeads(v.signed, v.signer)
		if err != nil {
			return err
		}
		v.Heads, v.signer = append(v.Heads, heads...), signer
	}
	return named().using(ctx, db.Options{ReadOnly: true}, func(ctx context.Context, c *copying) error { return v.run(ctx, c.store) })
}

func (v *verifying) run(ctx context.Context, store *tables.Store) error {
	if isTerminal(v.out) {
		v.Progress = v.show
	}
	begun := time.Now()
	if err := store.Load(ctx); err != nil {
		return err
	}
	found, err := store.Verify(ctx, v.Verify)
	if v.Progress != nil {
		say(v.out, "\r%*s\r", progressWidth, "")
	}
	if err != nil {
		return err
	}
	for _, p := range found.Problems {
		say(v.out, "%s\n", problem(p))
	}
	if n := int(found.Count) - len(found.Problems); n > 0 {
		say(v.out, "and %d more\n", n)
	}
	say(v.out, "%s, %s as sealed, %d erased, %d not sealed yet; %s as their last versions; %.1f s\n", core.Count(int(found.Seals), "seal"), core.Count(int(found.Versions), "version"),
		found.Erased, found.Unsealed, core.Count(int(found.Records), "record"), time.Since(begun).Seconds())
	if found.Head != "" {
		say(v.out, "The head is %s (seal %d, %s). Keep it elsewhere, and give it with --head next time\n", found.Head, found.Seal, found.At.Format(time.RFC3339))
	}
	if v.signed != "" && found.Count == 0 {
		say(v.out, "The heads of %s are signed by %s, and are those of seals\n", v.signed, v.signer)
	}
	if found.Count > 0 {
		return core.E("main.verify", core.Failed, fmt.Sprintf("the history is not what was sealed: %s", core.Count(int(found.Count), "problem")))
	}
	return nil
}

// progressWidth is that of the line that shows how far it is.
const progressWidth = 60

func (v *verifying) show(done, all int64) {
	if now := time.Now(); now.Sub(v.shown) > barEvery {
		v.shown = now
		say(v.out, "\r%-*s", progressWidth, fmt.Sprintf("%d of %d versions, %d %%", done, all, done*100/max(all, 1)))
	}
}

// problem is a line about a problem.
func problem(p tables.Problem) string {
	where := p.Kind
	switch {
	case p.ID != "":
		where = fmt.Sprintf("%s: %s %s", p.Kind, p.Table, p.ID)
		if p.Version != 0 {
			where += fmt.Sprintf(" version %d", p.Version)
		}
	case p.Seal != 0:
		where = fmt.Sprintf("%s %d", p.Kind, p.Seal)
	}
	return where + ": " + p.Message
}
