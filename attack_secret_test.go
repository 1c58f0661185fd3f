package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/secret"
	"colonnade/tables"
)

// secrets are planted in every place that takes one, good ones and such that are refused, and are then looked for in
// everything that comes out: the log at its most talkative, all that an administrator can read by every road, and every
// value in the database.
func TestAttackA20Canaries(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		log := &kept{}
		c.Dev, c.SecretsKey = false, filepath.Join(t.TempDir(), "keys")
		if err := newSecretKey(c.SecretsKey, log); err != nil {
			t.Fatal(err)
		}
		s := newScenarioLog(t, c, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		canaries := map[string]string{"password of the administrator": "a password for tests", "API key": s.keys["admin"]}
		plant := func(about string) string {
			canaries[about] = "canary-" + rand.Text()
			return canaries[about]
		}
		send := func(user, query string, variables any) []byte {
			raw, err := json.Marshal(variables)
			if err != nil {
				t.Fatal(err)
			}
			return s.send(t, user, query, raw)
		}
		post := func(path, body string, header ...string) []byte {
			_, out := s.request(t, "nobody", http.MethodPost, path, []byte(body), []byte(strings.Join(append(header, "Content-Type: application/json"), "\n")))
			return out
		}

		// Passwords: set, wrong, too short, taken along by a request that fails.
		send("admin", `mutation($p: String!) { create_user(name: "Ann", email: "ann@example.com", password: $p) { id } }`, map[string]string{"p": plant("password in a variable")})
		s.must(t, "admin", `mutation { create_user(name: "Bob", email: "bob@example.com", password: "`+plant("password in a document")+`") { id } }`)
		send("admin", `mutation($p: String!) { create_user(name: "Ann", email: "ann@example.com", password: $p) { id } }`, map[string]string{"p": plant("password of a user who is there")})
		send("admin", `mutation($p: String!) { create_user(name: "Eve", email: "eve@example.com", password: $p, unit: "nowhere") { id } }`, map[string]string{"p": plant("password beside a mistake")})
		send("admin", `mutation($p: Int!) { create_user(name: "Eve", email: "eve@example.com", password: $p) { id } }`, map[string]string{"p": plant("password of the wrong type")})
		send("nobody", `mutation { create_user(name: "Eve", email: "eve@example.com", password: "`+plant("password of a stranger")+`") { id } }`, nil)
		post("/auth/login", `{"email":"ann@example.com","password":"`+plant("wrong password")+`"}`)
		post("/auth/login", `{"email":"ann@example.com","password":"`+plant("password in broken JSON"))
		post("/auth/setup", `{"token":"`+plant("setup token")+`","name":"x","email":"x@example.com","password":"`+plant("password of a setup")+`"}`)
		post("/graphql", `{"query":"`+plant("broken document"), "Authorization: Bearer "+plant("token that is not good"))
		post("/graphql", `{"query":"{__typename}"}`, "Cookie: __Host-sid="+plant("cookie that is not good"))

		// Sessions and keys, also by a request that is repeated.
		var in struct{ Token string }
		out := post("/auth/login", `{"email":"admin@example.com","password":"a password for tests"}`, "X-Token: 1")
		if err := json.Unmarshal(out, &in); err != nil || in.Token == "" {
			t.Fatalf("%s", out)
		}
		canaries["session"] = in.Token
		key := func(out []byte) string {
			var a struct {
				Data struct {
					Key struct{ Secret string } `json:"create_api_key"`
				}
			}
			if err := json.Unmarshal(out, &a); err != nil || a.Data.Key.Secret == "" {
				t.Fatalf("%s", out)
			}
			return a.Data.Key.Secret
		}
		const newKey = `{"query":"mutation { create_api_key(name: \"once\") { id secret } }"}`
		canaries["key made once"] = key(post("/graphql", newKey, "Authorization: Bearer "+s.keys["admin"], "Idempotency-Key: one"))

		// A secret that is sealed.
		keys, err := c.secretKeys()
		if err != nil {
			t.Fatal(err)
		}
		sealed := []byte(plant("sealed secret"))
		if err := s.app.db.Tx(t.Context(), db.TxOptions{}, func(tx *db.Tx) error {
			return secret.New(s.app.db, keys).Put(t.Context(), tx, "test", core.NewID(), sealed)
		}); err != nil {
			t.Fatal(err)
		}

		look := func(where string, text []byte) {
			t.Helper()
			for about, canary := range canaries {
				if bytes.Contains(text, []byte(canary)) {
					i := bytes.Index(text, []byte(canary))
					t.Errorf("%s: %s is in it: %.300s", where, about, text[max(0, i-200):i])
				}
			}
		}
		look("the answer to the same key", post("/graphql", newKey, "Authorization: Bearer "+s.keys["admin"], "Idempotency-Key: one"))
		for _, q := range []string{`mutation { read_audit(limit: 1000) { entries { data cause } } }`, `mutation { export_schema { files { path text } } }`, introspectAll} {
			look(q, s.send(t, "admin", q, nil))
		}
		n := 0
		for _, table := range s.app.store.Snapshot().Schema.Tables() {
			res, out := s.request(t, "admin", http.MethodGet, "/data/export/"+table.Name, nil, nil)
			if res.StatusCode != http.StatusOK || len(out) == 0 {
				t.Errorf("export of %s: %s %s", table.Name, res.Status, out)
			}
			look("the export of "+table.Name, out)
			n++
		}
		if n < 10 {
			t.Errorf("only %d tables were exported", n)
		}
		var users struct {
			List []struct{ ID core.ID } `json:"_user"`
		}
		if err := json.Unmarshal(s.must(t, "admin", `{ _user(where: {email: {_eq: "admin@example.com"}}) { id } }`), &users); err != nil || len(users.List) != 1 {
			t.Fatal(users, err)
		}
		admin, err := s.app.store.Snapshot().Policy.Caller(users.List[0].ID, core.Cause{Kind: "api"})
		if err != nil {
			t.Fatal(err)
		}
		d := &values{look: look}
		if err := s.app.store.Dump(core.WithCaller(t.Context(), admin), d); err != nil {
			t.Fatal(err)
		}
		if d.seen["_session"] == 0 || d.seen["_api_key"] == 0 || d.seen["_secret"] == 0 || d.seen["_user"] == 0 {
			t.Errorf("the dump has %v", d.seen)
		}
		look("the log", log.Bytes())
		if !bytes.Contains(log.Bytes(), []byte("web: request")) {
			t.Error("the log does not tell of requests")
		}
	})
}

// values looks at every value of a dump.
type values struct {
	look func(where string, text []byte)
	part tables.Part
	seen map[string]int // rows, by table
}

func (v *values) Part(p tables.Part) error {
	if v.seen == nil {
		v.seen = map[string]int{}
	}
	v.part = p
	return nil
}

func (v *values) Row(row [][]byte) error {
	v.seen[v.part.Name]++
	for i, value := range row {
		v.look(fmt.Sprintf("%s.%s", v.part.Name, v.part.Columns[i].Name), value)
	}
	return nil
}

// A connection string is named with its password nowhere, also not when the database cannot be reached.
func TestAttackA20ConnectionString(t *testing.T) {
	for _, source := range []string{
		"postgres://ann:canary-password@127.0.0.1:1/name", "postgres://ann:canary-password@127.0.0.1:1/name?sslmode=nonsense", "postgres://ann:canary-password@[::1/name", "postgres://ann:canary-password@127.0.0.1:x/name",
		"postgres://127.0.0.1:1/name?user=ann&password=canary-password",
	} {
		log := &kept{}
		_, err := newApp(t.Context(), &config{Data: t.TempDir(), Database: source}, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		if err == nil {
			t.Fatalf("%s was opened", source)
		}
		for _, text := range []string{err.Error(), explain(err), string(log.Bytes())} {
			if strings.Contains(text, "canary") {
				t.Errorf("%s: %s", source, text)
			}
		}
	}
}

// kept is a log that a test reads while the program writes.
type kept struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(p)
}

func (k *kept) Bytes() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.b.Bytes())
}
