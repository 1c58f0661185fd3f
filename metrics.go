package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"colonnade/core"
	"colonnade/graphql"
)

// instruments is what Prometheus reads of a server. They tell how much is done, and of no record, user or query. A nil *instruments counts nothing.
type instruments struct {
	log    *slog.Logger
	all    *prometheus.Registry
	server *http.Server
	ln     net.Listener

	requests *prometheus.HistogramVec // method, route, status
	queries  *prometheus.HistogramVec // operation, result
	runs     *prometheus.CounterVec   // flow, status
}

// buckets are those of the times of requests, in seconds.
var buckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(a *app, log *slog.Logger) *instruments {
	m := &instruments{log: log, all: prometheus.NewRegistry()}
	m.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "colonnade_http_request_duration_seconds", Help: "How long requests took, by method, pattern of the path and status.", Buckets: buckets,
	}, []string{"method", "route", "status"})
	m.queries = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "colonnade_graphql_request_duration_seconds", Help: "How long GraphQL requests took: query, mutation or other, and ok, partial (fields failed) or refused.", Buckets: buckets,
	}, []string{"operation", "result"})
	m.runs = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "colonnade_flow_runs_total", Help: "Runs of flows that this process has ended, by flow and status.",
	}, []string{"flow", "status"})
	m.all.MustRegister(m.requests, m.queries, m.runs, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), state{a, log})
	return m
}

// served returns what counts requests; nil for nobody.
func (m *instruments) served() func(string, string, int, time.Duration) {
	if m == nil {
		return nil
	}
	return func(method, route string, status int, took time.Duration) {
		m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
	}
}

// answered returns what counts GraphQL requests; nil for nobody.
func (m *instruments) answered() func(string, graphql.Kind, time.Duration) {
	if m == nil {
		return nil
	}
	return func(operation string, kind graphql.Kind, took time.Duration) {
		result := map[graphql.Kind]string{graphql.OK: "ok", graphql.PartialError: "partial"}[kind]
		if result == "" {
			result = "refused"
		}
		m.queries.WithLabelValues(operation, result).Observe(took.Seconds())
	}
}

// ended returns what counts runs of flows; nil for nobody.
func (m *instruments) ended() func(string, string) {
	if m == nil {
		return nil
	}
	return func(flow, status string) { m.runs.WithLabelValues(flow, status).Inc() }
}

// start listens on the address. There is no log-in: one beyond the loopback address is refused unless the server is public.
func (m *instruments) start(addr string, public bool) (err error) {
	const op = "main.metrics"
	if m.ln, err = net.Listen("tcp", addr); err != nil {
		return core.E(op, core.Unavailable, fmt.Sprintf("--metrics: cannot listen on %s: choose another address, such as 127.0.0.1:9464", addr), err)
	}
	if tcp, ok := m.ln.Addr().(*net.TCPAddr); !public && (!ok || !tcp.IP.IsLoopback()) {
		_ = m.ln.Close()
		return core.E(op, core.Denied, fmt.Sprintf("--metrics: %s can be reached by other machines: listen on 127.0.0.1, or allow it with --public", addr))
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.all, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	m.server = &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 15 * time.Second, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug)}
	go func() {
		if err := m.server.Serve(m.ln); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error("metrics: the server stopped listening", "err", err)
		}
	}()
	return nil
}

func (m *instruments) addr() string { return m.ln.Addr().String() }

func (m *instruments) stop(ctx context.Context) error {
	if m.server == nil {
		return nil
	}
	return m.server.Shutdown(ctx)
}

// state is read when somebody asks.
type state struct {
	app *app
	log *slog.Logger
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("colonnade_"+name, help, labels, nil)
}

var (
	buildInfo   = desc("build_info", "Always 1, with the version.", "version")
	openRuns    = desc("flow_runs_open", "Runs of flows that have not ended, on all instances.", "status")
	subscribers = desc("live_subscriptions", "Subscriptions of this process.")
	liveGroups  = desc("live_groups", "Groups of subscriptions that one computation serves.")
	liveTurns   = desc("live_turns_total", "How often groups were computed.")
	poolMost    = desc("db_connections_max", "How many connections to the database there may be.", "pool")
	poolOpen    = desc("db_connections_open", "How many there are.", "pool")
	poolBusy    = desc("db_connections_busy", "How many are in use.", "pool")
	poolWaits   = desc("db_connection_waits_total", "How often somebody had to wait for one.", "pool")
	poolWaited  = desc("db_connection_wait_seconds_total", "How long, all together.", "pool")
)

// Describe implements prometheus.Collector.
func (state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, openRuns, subscribers, liveGroups, liveTurns, poolMost, poolOpen, poolBusy, poolWaits, poolWaited} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What the database does not tell now is left out.
func (s state) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	total := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge(buildInfo, 1, version())
	for _, p := range s.app.db.Pools() {
		gauge(poolMost, float64(p.Most), p.Name)
		gauge(poolOpen, float64(p.Open), p.Name)
		gauge(poolBusy, float64(p.Busy), p.Name)
		total(poolWaits, float64(p.Waits), p.Name)
		total(poolWaited, p.Waited.Seconds(), p.Name)
	}
	live := s.app.api.Live()
	gauge(subscribers, float64(live.Subscribers))
	gauge(liveGroups, float64(live.Groups))
	total(liveTurns, float64(live.Turns))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	open, err := s.app.flows.Open(ctx)
	if err != nil {
		s.log.Warn("metrics: runs are not counted", "err", err)
		return
	}
	for status, n := range open {
		gauge(openRuns, float64(n), status)
	}
}
