package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

// side is one of those that a workload compares.
type side struct {
	name     string
	server   *server
	requests [][]byte
}

// sample is one run of one side.
type sample struct {
	perSecond     float64
	p50, p99      time.Duration
	cpuServer     time.Duration // of one request
	cpuDatabase   time.Duration // of one request
	bytes         int           // of one answer
	othersBusy    float64       // how much of the machine somebody else used
	generatorBusy float64       // how much of one core we used
}

func (s sample) cpu() time.Duration { return s.cpuServer + s.cpuDatabase }

// round has one sample of each side. They are neighbours in time, so that what disturbs one is likely to disturb all.
type round []sample

func (r round) othersBusy() (most float64) {
	for _, s := range r {
		most = max(most, s.othersBusy)
	}
	return most
}

// A round in which others used more of the machine than is tolerable is measured again, up to so many times the rounds
// that are wanted; then the quietest count.
const (
	tolerable = 0.15
	patience  = 2
)

// measurement is a workload on a database: the limit first, Colonnade second, then what is shown for information.
type measurement struct {
	workload workload
	database string
	sides    []side
	rounds   []round
	memory   int64 // of Colonnade's own afterwards, without the file that it maps, in kB; 0 where the system does not tell
}

// samplesCompared is how many answers are compared before anything is measured.
const samplesCompared = 24

func (s *stage) measure(ctx context.Context, o *options, w workload) (*measurement, error) {
	list, err := s.exchanges(w, "")
	if err != nil {
		return nil, err
	}
	own, limit := split(list)
	m := &measurement{workload: w, database: s.database, sides: []side{
		{name: "limit", server: s.limit, requests: limit},
		{name: "colonnade", server: s.own, requests: own},
	}}
	if w.name == "W5" && s.database == "sqlite" {
		grouped, err := s.exchanges(w, "group")
		if err != nil {
			return nil, err
		}
		_, group := split(grouped)
		m.sides = append(m.sides, side{name: "limit with group commit", server: s.limit, requests: group})
	}
	if err := s.compare(ctx, list); err != nil {
		return nil, err
	}
	if err := s.round(ctx, o, m, time.Second); err != nil { // to warm up
		return nil, err
	}
	m.rounds = nil
	for quiet := 0; quiet < o.rounds && len(m.rounds) < patience*o.rounds; {
		if err := s.round(ctx, o, m, o.duration); err != nil {
			return nil, err
		}
		if m.rounds[len(m.rounds)-1].othersBusy() < tolerable {
			quiet++
		}
	}
	m.memory, _ = s.own.memory("RssAnon:") // 0 says that it is not known
	slices.SortStableFunc(m.rounds, func(a, b round) int { return cmp.Compare(a.othersBusy(), b.othersBusy()) })
	m.rounds = m.rounds[:o.rounds]
	return m, nil
}

// round runs each side once, in an order that changes from round to round.
func (s *stage) round(ctx context.Context, o *options, m *measurement, d time.Duration) error {
	r := make(round, len(m.sides))
	for n := range m.sides {
		i := n
		if len(m.rounds)%2 == 1 {
			i = len(m.sides) - 1 - n // so that neither always comes after the other
		}
		var err error
		if r[i], err = s.sample(ctx, m.workload.connections(o), &m.sides[i], d); err != nil {
			return fmt.Errorf("%s: %w\n%s", m.sides[i].name, err, m.sides[i].server.tail())
		}
	}
	m.rounds = append(m.rounds, r)
	return nil
}

func (s *stage) compare(ctx context.Context, list []exchange) error {
	a, err := dial(ctx, s.own.addr)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := dial(ctx, s.limit.addr)
	if err != nil {
		return err
	}
	defer b.close()
	for _, e := range list[:min(samplesCompared, len(list))] {
		x, err := a.do(e.own)
		if err != nil {
			return fmt.Errorf("colonnade: %w\n%s", err, s.own.tail())
		}
		y, err := b.do(e.limit)
		if err != nil {
			return fmt.Errorf("limit: %w\n%s", err, s.limit.tail())
		}
		if err := e.of.compare(x, y); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) sample(ctx context.Context, conns int, of *side, d time.Duration) (sample, error) {
	pid := of.server.cmd.Process.Pid
	server, database, ours, all := cpu(pid), cpu(s.postmaster), cpu(os.Getpid()), busy()
	r, err := drive(ctx, of.server.addr, of.requests, conns, d)
	if err != nil {
		return sample{}, err
	}
	server, database, ours, all = cpu(pid)-server, cpu(s.postmaster)-database, cpu(os.Getpid())-ours, busy()-all
	n := time.Duration(r.requests)
	return sample{
		perSecond: r.perSecond(), p50: r.quantile(0.5), p99: r.quantile(0.99), bytes: r.bytes / r.requests,
		cpuServer: server / n, cpuDatabase: database / n,
		othersBusy:    max(0, (all-server-database-ours).Seconds()/r.took.Seconds()/float64(runtime.NumCPU())),
		generatorBusy: ours.Seconds() / r.took.Seconds(),
	}, nil
}

// median returns the median of a quantity of the i-th side.
func (m *measurement) median(i int, of func(sample) float64) float64 {
	return median(m.rounds, func(r round) float64 { return of(r[i]) })
}

// ratios compares the i-th side with the limit: the medians of the ratios within each round. Above 1 the side is better.
func (m *measurement) ratios(i int) (perSecond, cpu float64) {
	return median(m.rounds, func(r round) float64 { return r[i].perSecond / r[0].perSecond }),
		median(m.rounds, func(r round) float64 { return float64(r[0].cpu()) / float64(r[i].cpu()) })
}

// othersBusy is how much of the machine others used, in the median of the rounds.
func (m *measurement) othersBusy() float64 { return median(m.rounds, round.othersBusy) }

func median[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, x := range list {
		values[i] = of(x)
	}
	slices.Sort(values)
	n := len(values)
	return (values[n/2] + values[(n-1)/2]) / 2
}
