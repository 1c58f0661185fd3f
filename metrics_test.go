package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"colonnade/core"
)

// What Prometheus reads counts what was asked and what flows did, and holds nothing that strangers make up.
func TestMetrics(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		c.Metrics = "127.0.0.1:0"
		s := newScenario(t, c)
		if err := s.app.metrics.start(c.Metrics, false); err != nil {
			t.Fatal(err)
		}
		scrape := func() string {
			t.Helper()
			res, err := http.Get("http://" + s.app.metrics.addr() + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			text, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res.Status, err)
			}
			return string(text)
		}
		value := func(text, series string) string {
			t.Helper()
			m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(text)
			if m == nil {
				return ""
			}
			return m[1]
		}
		before := scrape()
		queries, refused := `colonnade_graphql_request_duration_seconds_count{operation="query",result="ok"}`, `colonnade_graphql_request_duration_seconds_count{operation="other",result="refused"}`
		if got := value(before, refused); got != "" {
			t.Errorf("before: %s", got)
		}
		s.must(t, "admin", `mutation { put_flow(definition: "name: greet\ntrigger: {manual: {}}\nsteps: [{set: {a: 1}}]\n") { version } }`)
		s.must(t, "admin", `mutation { start_greet { run_id } }`)
		s.must(t, "admin", `mutation { put_flow(definition: "name: rest\ntrigger: {manual: {}}\nsteps: [{wait: {for: 1h}}]\n") { version } }`)
		s.must(t, "admin", `mutation { start_rest { run_id } }`)
		if err := s.app.flows.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.must(t, "admin", `{ _flow { name } }`)
		}
		s.ask(t, "admin", `{ nothing`, nil)
		for _, path := range []string{"/nothing/of/ours", "/nothing%22", "/"} {
			for _, method := range []string{http.MethodPut, http.MethodGet} {
				s.request(t, "admin", method, path, nil, nil)
			}
		}
		after := scrape()
		for series, want := range map[string]string{
			queries: "3", refused: "1",
			`colonnade_flow_runs_total{flow="greet",status="succeeded"}`: "1",
			`colonnade_flow_runs_open{status="waiting"}`:                 "1",
			`colonnade_flow_runs_open{status="running"}`:                 "0",
			`colonnade_live_subscriptions`:                               "0",
			`colonnade_build_info{version="` + version() + `"}`:          "1",
		} {
			if got := value(after, series); got != want {
				t.Errorf("%s is %q, want %s", series, got, want)
			}
		}
		if strings.Contains(after, "nothing") {
			t.Error("a path that a stranger made up is there")
		}
		if !regexp.MustCompile(`colonnade_http_request_duration_seconds_count\{method="POST",route="/graphql",status="200"\} [1-9]`).MatchString(after) ||
			!regexp.MustCompile(`colonnade_db_connections_max\{pool="[a-z]+"\} [1-9]`).MatchString(after) {
			t.Error(after)
		}
		id := s.must(t, "admin", `{ _flow_run(where: {status: {_eq: "waiting"}}) { id } }`)
		s.must(t, "admin", `mutation { cancel_run(run_id: `+string(regexp.MustCompile(`"[0-9a-f-]{36}"`).Find(id))+`) { run_id } }`)
		if got := value(scrape(), `colonnade_flow_runs_total{flow="rest",status="cancelled"}`); got != "1" {
			t.Errorf("cancelled: %q", got)
		}
	})
}

// Metrics need no log-in, and so are not for other machines by chance.
func TestMetricsAreForThisMachine(t *testing.T) {
	m := newMetrics(&app{}, slog.Default())
	if err := m.start("0.0.0.0:0", false); core.KindOf(err) != core.Denied {
		t.Errorf("%v", err)
	}
	if err := m.start("no address", false); core.KindOf(err) != core.Unavailable || !strings.Contains(explain(err), "127.0.0.1:9464") {
		t.Errorf("%v", err)
	}
	if err := m.stop(context.Background()); err != nil {
		t.Error(err)
	}
}
