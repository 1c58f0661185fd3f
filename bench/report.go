package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// report gathers what was measured.
type report struct {
	machine      string
	options      *options
	versions     []string // of the databases
	measurements []*measurement
}

func (r *report) add(m *measurement) {
	r.measurements = append(r.measurements, m)
	fmt.Println(m.line())
}

// ms is a duration in milliseconds, for a table.
func ms(d float64) string {
	switch v := d / float64(time.Millisecond); {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

func rate(s sample) float64          { return s.perSecond }
func cpuOf(s sample) float64         { return float64(s.cpu()) }
func cpuOfServer(s sample) float64   { return float64(s.cpuServer) }
func cpuOfDatabase(s sample) float64 { return float64(s.cpuDatabase) }
func half(s sample) float64          { return float64(s.p50) }
func nearlyAll(s sample) float64     { return float64(s.p99) }
func size(s sample) float64          { return float64(s.bytes) }

// line is the measurement for a terminal. The times are CPU time per request, of the server and the database.
func (m *measurement) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s ", m.workload.name, m.database)
	for i, s := range m.sides {
		perSecond, cpu := m.ratios(i)
		if i > 1 {
			fmt.Fprintf(&b, "\n            ")
		}
		fmt.Fprintf(&b, " %s %.0f req/s %s ms p50 %s p99 %s", s.name, m.median(i, rate), ms(m.median(i, cpuOf)), ms(m.median(i, half)), ms(m.median(i, nearlyAll)))
		switch i {
		case 0:
			b.WriteString(" |")
		case 1:
			fmt.Fprintf(&b, " | ratio req/s %.2f  cpu %.2f  memory %d MB", perSecond, cpu, m.memory>>10)
			if x := m.othersBusy(); x > tolerable {
				fmt.Fprintf(&b, "  (others used %.0f %% of the machine)", 100*x)
			}
		default:
			fmt.Fprintf(&b, " (for information: %.2f, %.2f of the limit)", perSecond, cpu)
		}
	}
	return b.String()
}

// check fails when a ratio is below the floor. When others kept the machine busy, the CPU time alone counts.
func (r *report) check(floor float64) error {
	var low []string
	for _, m := range r.measurements {
		perSecond, cpu := m.ratios(1)
		if cpu < floor || perSecond < floor && m.othersBusy() < tolerable {
			low = append(low, fmt.Sprintf("%s on %s (%.2f, %.2f)", m.workload.name, m.database, perSecond, cpu))
		}
	}
	if len(low) > 0 {
		return fmt.Errorf("below %.2f of the limit: %s", floor, strings.Join(low, ", "))
	}
	return nil
}

// write writes the page of results.
func (r *report) write(ctx context.Context, path string) error {
	var b strings.Builder
	d := dataOf(r.options.scale)
	fmt.Fprintf(&b, `# Benchmarks

Colonnade beside the limit: a Go server of one handler and one prepared SQL statement for each request, which returns finished JSON, without
GraphQL, users, rights, history and events. Both answer from the same rows, and were compared before they were measured. Absolute numbers belong to the machine;
the ratios are the result. Written by %s; what the parts are is in [bench/README.md](../bench/README.md).

- Machine: %s
- %s; colonnade at %s
- Rows: %d accounts, %d contacts, %d orders. Everything runs on this machine: load generator, server and database.
- %d connections with one request at a time each; runs of %s in turns, order reversed each round, medians of %d rounds. A ratio is the median of those of the rounds.

| | request | database | limit req/s | Colonnade req/s | **ratio** | limit CPU ms | Colonnade CPU ms | **CPU ratio** | limit p50 / p99 ms | Colonnade p50 / p99 ms | answer kB | Colonnade's memory MB |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
`, "`make bench`", r.machine, strings.Join(append([]string{runtime.Version()}, r.versions...), "; "), commit(ctx),
		d.accounts, d.contacts, d.orders, r.options.conns, r.options.duration, r.options.rounds)
	var notes []string
	for _, m := range r.measurements {
		perSecond, cpu := m.ratios(1)
		fmt.Fprintf(&b, "| %s | %s | %s | %.0f | %.0f | **%.2f** | %s | %s | **%.2f** | %s | %s | %.1f | %d |\n", m.workload.name, m.workload.what, m.database,
			m.median(0, rate), m.median(1, rate), perSecond, m.cpuCell(0), m.cpuCell(1), cpu, m.waitCell(0), m.waitCell(1), m.median(1, size)/1000, m.memory>>10)
		for i := 2; i < len(m.sides); i++ {
			perSecond, cpu := m.ratios(i)
			notes = append(notes, fmt.Sprintf("%s on %s: the %s does %.0f req/s with %s ms of CPU, %.2f and %.2f of the plain limit; Colonnade shares commits too.",
				m.workload.name, m.database, m.sides[i].name, m.median(i, rate), m.cpuCell(i), perSecond, cpu))
		}
		if x := m.othersBusy(); x > tolerable {
			notes = append(notes, fmt.Sprintf("%s on %s: other programs used %.0f %% of the machine meanwhile.", m.workload.name, m.database, 100*x))
		}
	}
	b.WriteString(`
CPU is per request, of the server and (after the plus) of the PostgreSQL processes. A ratio above 1 is better than the limit, which has JSON made in SQL.
W5 is durable on both sides: on SQLite the limit flushes the disk for each row (synchronous FULL), on PostgreSQL fsync and synchronous_commit are on.
Colonnade writes history and an event with each row, and W6 passes two business rules; the limit does neither. W6 has 4 connections. Memory is that of
the process after the workload, without the database file that it maps.
`)
	for _, n := range notes {
		b.WriteString("\n- " + n)
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func (m *measurement) cpuCell(i int) string {
	if db := m.median(i, cpuOfDatabase); db > 0 {
		return ms(m.median(i, cpuOfServer)) + " + " + ms(db)
	}
	return ms(m.median(i, cpuOfServer))
}

func (m *measurement) waitCell(i int) string {
	return ms(m.median(i, half)) + " / " + ms(m.median(i, nearlyAll))
}

// describe tells what the machine is.
func describe() string {
	field := func(path, name string) string {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
		return "unknown"
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, memory %s, Linux %s", runtime.NumCPU(), field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal"), strings.TrimSpace(string(kernel)))
}

// moduleVersion returns the version of a library that both programs are built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "?"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "?"
}

// commit names the state of the sources.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(out))
}
