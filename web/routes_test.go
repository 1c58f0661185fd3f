package web

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// policy is whom each route lets in. A route that is not here fails the test: decide, and add it.
var policy = map[string]access{
	"GET /debug/pprof/*":                    session, // and the administrator's only; see TestProfile
	"GET /":                                 anyone,
	"GET /graphql":                          caller,
	"POST /graphql":                         caller,
	"GET /graphiql":                         anyone,
	"GET /login":                            anyone,
	"GET /setup":                            anyone,
	"GET /assets/:hash/:name":               anyone,
	"GET /reset":                            anyone,
	"GET /account":                          anyone, // and sent to the login, who is not signed in
	"POST /auth/second-factor":              anyone, // and refused without a session
	"POST /auth/passkey/options":            anyone,
	"POST /auth/passkey":                    anyone, // and refused without what a passkey has signed
	"POST /auth/passkeys/options":           session,
	"POST /auth/passkeys":                   session,
	"POST /auth/oidc/:provider/leave":       anyone,
	"GET /auth/oidc/:provider/callback":     anyone, // and refused to a browser that did not leave
	"POST /auth/reset":                      anyone, // and refused without the token of a link
	"POST /auth/login":                      anyone,
	"POST /auth/setup":                      anyone,
	"POST /auth/logout":                     session,
	"GET /auth/me":                          session,
	"POST /data/import/:table":              session,
	"POST /data/suggest/:table":             session,
	"GET /data/export/:table":               session,
	"GET /data/backup":                      session, // and the administrator's only; see TestBackupRoute
	"GET /data/imports/:batch":              session,
	"GET /data/imports/:batch/failures":     session,
	"GET /data/imports/:batch/events":       session,
	"POST /data/file":                       session,
	"GET /data/file/:table/:record/:column": caller,
	"GET /health/live":                      anyone,
	"GET /health/ready":                     anyone,
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

// what each route answers to who holds nothing: to nobody, and to a user without roles. A route that is not here fails
// the test. None of them shows what is in the database.
func TestAttackA18Routes(t *testing.T) {
	t.Parallel()
	w := withAnn(t, Options{Dev: true}, nil)
	w.send(request{path: "/graphql", json: query(`mutation{create_table(name:"plan",columns:[{name:"name",kind:"text"},{name:"proof",kind:"file"}]){version}}`)}).want(200, "!errors")
	id := w.send(request{path: "/graphql", json: query(`mutation{insert_plan_one(object:{name:"canary"}){id}}`)}).want(200, "!errors").text
	id = id[strings.Index(id, `"id":"`)+6:][:36]
	guest := w.user("guest@example.com")
	nobody, listed := w.anonymous(), map[string]bool{}
	for name, want := range map[string][2]int{ // to nobody, to the guest
		"GET /":                                 {302, 302},
		"GET /graphql":                          {200, 200}, // with an error in it
		"POST /graphql":                         {200, 200},
		"GET /graphiql":                         {302, 200},
		"GET /login":                            {200, 200},
		"GET /setup":                            {302, 302},
		"GET /assets/:hash/:name":               {200, 200},
		"POST /auth/login":                      {401, 401},
		"GET /reset":                            {200, 200},
		"GET /account":                          {302, 200},
		"POST /auth/second-factor":              {403, 400}, // a key has none
		"POST /auth/reset":                      {403, 403},
		"POST /auth/passkey/options":            {400, 400}, // by the address of the server
		"POST /auth/passkey":                    {400, 400},
		"POST /auth/passkeys/options":           {401, 403}, // not with a key
		"POST /auth/passkeys":                   {401, 403},
		"POST /auth/oidc/:provider/leave":       {404, 404},
		"GET /auth/oidc/:provider/callback":     {403, 403},
		"POST /auth/setup":                      {403, 403},
		"POST /auth/logout":                     {401, 200},
		"GET /auth/me":                          {401, 200},
		"POST /data/import/:table":              {401, 403},
		"POST /data/suggest/:table":             {401, 403},
		"GET /data/export/:table":               {401, 403},
		"GET /data/backup":                      {401, 403},
		"GET /data/imports/:batch":              {401, 404},
		"GET /data/imports/:batch/failures":     {401, 404},
		"GET /data/imports/:batch/events":       {401, 404},
		"POST /data/file":                       {401, 403},
		"GET /data/file/:table/:record/:column": {404, 404},
		"GET /health/live":                      {200, 200},
		"GET /health/ready":                     {200, 200},
		"GET /debug/pprof/*":                    {401, 403},
	} {
		method, path, _ := strings.Cut(name, " ")
		path = strings.NewReplacer(":hash", w.s.site.hash, ":name", "form.js", "*", "cmdline", ":table", "plan", ":record", id, ":column", "proof", ":batch", id).Replace(path)
		q := request{method: method, path: path}
		switch {
		case path == "/graphql" && method == http.MethodGet:
			q.path += "?query={plan{name}}"
		case path == "/graphql":
			q.json = query("mutation{delete_plan(where:{}){affected_rows}}")
		case path == "/data/file":
			q.path, q.body = path+"?name=a.txt", "text"
		case method == http.MethodPost:
			q.json = map[string]string{}
		}
		for i, token := range []string{"", guest} {
			if token != "" {
				q.header = map[string]string{"Authorization": "Bearer " + token}
			}
			got := nobody.send(q)
			if got.status != want[i] {
				t.Errorf("%s, %d: status %d, want %d: %.300s", name, i, got.status, want[i], got.text)
			}
			if strings.Contains(got.text, "canary") {
				t.Errorf("%s, %d shows what is in the database: %.300s", name, i, got.text)
			}
			if strings.Contains(path, "graphql") && !strings.Contains(path, "graphiql") && !strings.Contains(got.text, "errors") {
				t.Errorf("%s, %d: %s", name, i, got.text)
			}
			for _, h := range securityHeaders {
				if got.header.Get(string(h[0])) == "" {
					t.Errorf("%s, %d: no %s", name, i, h[0])
				}
			}
			if csp := got.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src") {
				t.Errorf("%s, %d: CSP %s", name, i, csp)
			}
			if got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %d lets other origins read", name, i)
			}
		}
		listed[name] = true
	}
	w.send(request{path: "/graphql", json: query("{plan{name}}")}).want(200, "canary")
	for _, r := range w.s.app.GetRoutes(true) {
		if name := r.Method + " " + r.Path; r.Method != http.MethodHead && !listed[name] {
			t.Errorf("%s is not in the list of this test", name)
		}
	}
}
