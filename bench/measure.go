package main

import (
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
	samples  []sample
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

// measurement is a workload on a database: the limit first, Colonnade second, then what is shown for information.
type measurement struct {
	workload workload
	database string
	sides    []*side
}

// samplesCompared is how many answers are compared before anything is measured.
const samplesCompared = 24

func (s *stage) measure(ctx context.Context, o *options, w workload) (*measurement, error) {
	own, limit, err := s.requests(w, "/"+w.name)
	if err != nil {
		return nil, err
	}
	m := &measurement{workload: w, database: s.database, sides: []*side{
		{name: "limit", server: s.limit, requests: limit},
		{name: "colonnade", server: s.own, requests: own},
	}}
	if w.write && s.database == "sqlite" {
		_, group, err := s.requests(w, "/"+w.name+"group")
		if err != nil {
			return nil, err
		}
		m.sides = append(m.sides, &side{name: "limit with group commit", server: s.limit, requests: group})
	}
	if err := s.compare(ctx, w, own, limit); err != nil {
		return nil, err
	}
	for round := range o.rounds + 1 { // the first is to warm up
		order := slices.Clone(m.sides)
		if round%2 == 1 {
			slices.Reverse(order) // so that neither always comes after the other
		}
		for _, side := range order {
			d := o.duration
			if round == 0 {
				d = time.Second
			}
			sample, err := s.sample(ctx, o, side, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", side.name, err, side.server.tail())
			}
			if round > 0 {
				side.samples = append(side.samples, sample)
			}
		}
	}
	return m, nil
}

func (s *stage) compare(ctx context.Context, w workload, own, limit [][]byte) error {
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
	for i := range samplesCompared {
		x, err := a.do(own[i])
		if err != nil {
			return fmt.Errorf("colonnade: %w\n%s", err, s.own.tail())
		}
		y, err := b.do(limit[i])
		if err != nil {
			return fmt.Errorf("limit: %w\n%s", err, s.limit.tail())
		}
		if err := w.compare(x, y); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) sample(ctx context.Context, o *options, of *side, d time.Duration) (sample, error) {
	pid := of.server.cmd.Process.Pid
	server, database, ours, all := cpu(pid), cpu(s.postmaster), cpu(os.Getpid()), busy()
	r, err := drive(ctx, of.server.addr, of.requests, o.conns, d)
	if err != nil {
		return sample{}, err
	}
	server, database, ours, all = cpu(pid)-server, cpu(s.postmaster)-database, cpu(os.Getpid())-ours, busy()-all
	n := time.Duration(r.requests)
	return sample{
		perSecond: r.perSecond(), p50: r.quantile(0.5), p99: r.quantile(0.99), bytes: int(r.bytes) / r.requests,
		cpuServer: server / n, cpuDatabase: database / n,
		othersBusy:    max(0, (all-server-database-ours).Seconds()/r.took.Seconds()/float64(runtime.NumCPU())),
		generatorBusy: ours.Seconds() / r.took.Seconds(),
	}, nil
}

// median returns the median of a quantity over the runs.
func (s *side) median(of func(sample) float64) float64 { return median(s.samples, of) }

func median[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, x := range list {
		values[i] = of(x)
	}
	slices.Sort(values)
	n := len(values)
	return (values[n/2] + values[(n-1)/2]) / 2
}

// ratios compares a side with the limit: the median over the rounds, whose runs are neighbours in time. Above 1 the
// side is better than the limit.
func (m *measurement) ratios(s *side) (perSecond, cpu float64) {
	type pair struct{ limit, side sample }
	var pairs []pair
	for i := range s.samples {
		pairs = append(pairs, pair{m.sides[0].samples[i], s.samples[i]})
	}
	return median(pairs, func(p pair) float64 { return p.side.perSecond / p.limit.perSecond }),
		median(pairs, func(p pair) float64 { return float64(p.limit.cpu()) / float64(p.side.cpu()) })
}
