package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// policy is whom each route lets in. A route that is not here fails the test: decide, and add it.
var policy = map[string]access{
	"GET /debug/pprof/*":                session, // and the administrator's only; see TestProfile
	"GET /":                             anyone,
	"GET /graphql":                      caller,
	"POST /graphql":                     caller,
	"GET /graphiql":                     anyone,
	"GET /login":                        anyone,
	"GET /setup":                        anyone,
	"GET /assets/:hash/:name":           anyone,
	"POST /auth/login":                  anyone,
	"POST /auth/setup":                  anyone,
	"POST /auth/logout":                 session,
	"GET /auth/me":                      session,
	"POST /data/import/:table":          session,
	"POST /data/suggest/:table":         session,
	"GET /data/export/:table":           session,
	"GET /data/backup":                  session, // and the administrator's only; see TestBackupRoute
	"GET /data/imports/:batch":          session,
	"GET /data/imports/:batch/failures": session,
	"GET /data/imports/:batch/events":   session,
	"GET /health/live":                  anyone,
	"GET /health/ready":                 anyone,
}

func TestEveryRouteHasAPolicy(t *testing.T) {
	t.Parallel()
	t.Run("serve", func(t *testing.T) { everyRouteHasAPolicy(t, false, "GET /debug/pprof/*") })
	t.Run("dev", func(t *testing.T) { everyRouteHasAPolicy(t, true) })
}

func everyRouteHasAPolicy(t *testing.T, dev bool, absent ...string) {
	t.Parallel()
	w := newWorld(t, Options{Dev: dev}, nil)
	seen := map[string]bool{}
	for _, r := range w.s.app.GetRoutes(true) {
		if r.Method == http.MethodHead {
			r.Method = http.MethodGet // fiber answers both alike
		}
		name := r.Method + " " + r.Path
		want, ok := policy[name]
		if !ok {
			t.Errorf("%s %s has no declared policy", r.Method, r.Path)
			continue
		}
		seen[name] = true

		// What is declared is what happens: to nobody, and to somebody with a bad token.
		path := strings.NewReplacer(":hash", w.s.site.hash, ":name", "form.js", "*", "cmdline").Replace(r.Path)
		q := request{method: r.Method, path: path}
		if r.Method == http.MethodPost {
			q.json = map[string]string{}
		}
		if got := w.send(q); refuses(got) != (want == session) {
			t.Errorf("%s %s as nobody: status %d %s", r.Method, r.Path, got.status, got.text)
		}
		q.header = map[string]string{"Authorization": "Bearer " + strings.Repeat("x", 43)}
		if got := w.send(q); refuses(got) != (want != anyone) {
			t.Errorf("%s %s with a bad token: status %d %s", r.Method, r.Path, got.status, got.text)
		}
	}
	for name := range policy {
		if seen[name] == slices.Contains(absent, name) {
			t.Errorf("%s is there: %t", name, seen[name])
		}
	}
	for _, r := range w.s.routes() {
		if r.access != policy[r.method+" "+r.path] {
			t.Errorf("%s %s: the access differs from the policy", r.method, r.path)
		}
	}
}

// refuses reports whether the answer is that of a route to somebody who did not sign in.
func refuses(a answered) bool {
	return a.status == http.StatusUnauthorized && strings.Contains(a.text, "sign in")
}

func TestRouteWithoutAccessLetsNobodyIn(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{}, func(s *Server) {
		s.app.Add("GET", "/forgotten", s.admit(route{method: "GET", path: "/forgotten", handler: s.live}))
	})
	w.send(request{path: "/forgotten"}).want(403, "DENIED")
}
