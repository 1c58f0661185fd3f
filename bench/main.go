// Command bench measures Colonnade against the limit: the same answers, made by the same database, without Colonnade.
//
// It starts both on the same rows, compares their answers, drives them in turns and prints requests per second and CPU
// time per request side by side. It never changes a database that it did not make. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	colonnade, limit string // the programs
	postgres         string // URL of a server on this machine
	scale            int
	rounds           int
	duration         time.Duration
	conns            int
	only             string
	floor            float64
	profile          string
	write            bool
	live             int
}

func main() {
	var o options
	flag.StringVar(&o.colonnade, "colonnade", "bin/colonnade", "the program to measure")
	flag.StringVar(&o.limit, "limit", "bin/limit", "the program of bench/limit")
	flag.StringVar(&o.postgres, "postgres", "", "URL of a PostgreSQL on this machine; left out, SQLite only")
	flag.IntVar(&o.scale, "scale", 1, "1 is 4,000 accounts, 20,000 contacts and 60,000 orders")
	flag.IntVar(&o.rounds, "rounds", 3, "measured runs of each side")
	flag.DurationVar(&o.duration, "time", 2*time.Second, "of one run")
	flag.IntVar(&o.conns, "conns", 16, "connections, each with one request at a time")
	flag.StringVar(&o.only, "only", "", "what to measure, such as W2,W5 or sqlite or W3,postgres; everything when left out")
	flag.Float64Var(&o.floor, "floor", 0.5, "fail when a ratio is lower")
	flag.StringVar(&o.profile, "profile", "", "folder that gets a CPU profile of Colonnade for each workload")
	flag.BoolVar(&o.write, "write", false, "write docs/benchmarks.md")
	flag.IntVar(&o.live, "live", 0, "measure that many subscribers to a live query on SQLite, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o *options) error {
	runtime.GOMAXPROCS(1) // the generator shall leave the machine to the servers
	dir, err := os.MkdirTemp("", "colonnade-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	if o.live > 0 {
		return subscribers(ctx, o, dir, o.live)
	}
	r := &report{machine: describe(), options: o}
	for _, open := range []func(context.Context, *options, string) (*stage, error){openPostgres, openSQLite} {
		if err := measureOn(ctx, o, dir, open, r); err != nil {
			return err
		}
	}
	if o.write {
		if err := r.write(ctx, "docs/benchmarks.md"); err != nil {
			return err
		}
	}
	return r.check(o.floor)
}

// errSkipped says that a database is not asked for.
var errSkipped = errors.New("skipped")

func measureOn(ctx context.Context, o *options, dir string, open func(context.Context, *options, string) (*stage, error), r *report) (err error) {
	s, err := open(ctx, o, dir)
	if errors.Is(err, errSkipped) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, w := range workloads {
		if !o.wants(w.name) {
			continue
		}
		m, err := s.measure(ctx, o, w)
		if err != nil {
			return fmt.Errorf("%s on %s: %w", w.name, s.database, err)
		}
		r.add(m)
		if o.profile != "" {
			if err := s.profile(ctx, o, w); err != nil {
				return fmt.Errorf("%s on %s: %w", w.name, s.database, err)
			}
		}
	}
	r.versions = append(r.versions, s.version)
	return nil
}

// wants reports whether name, of a workload or a database, is asked for.
func (o *options) wants(name string) bool {
	isWorkload := func(s string) bool { return strings.HasPrefix(s, "W") }
	asked := slices.DeleteFunc(strings.Split(o.only, ","), func(s string) bool { return s == "" || isWorkload(s) != isWorkload(name) })
	return len(asked) == 0 || slices.Contains(asked, name)
}
