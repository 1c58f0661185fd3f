package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/tools/txtar"

	"colonnade/core"
	"colonnade/core/db/dbtest"
	"colonnade/core/secret"
)

// TestScenarios runs testdata/*.txtar against the whole program, over HTTP, on every database. A scenario is a list of
// files, read from the top:
//
//	as NAME ROLE...   a GraphQL document, sent by that user; "admin" is the administrator, others are created on first sight
//	variables         JSON, for the document before
//	answer            what comes back; every uuid is written <id 1>, <id 2> ... by first appearance, every cursor of a list <cursor 1>
//	                  likewise, every moment <time>
//	absent            lines that the answer must not contain
//	drain             waits until no flow has anything to do
//	upload NAME FILE  uploads what follows as a file of that name; upload64 takes base64
//	get NAME PATH     asks for an address of the server, with the headers that follow; the answer is status, headers and body
//	deliver FLOW ID SECONDS [forged]  delivers what follows to the webhook of the flow, signed so many seconds ago with scenarioSecret, or another;
//	                  the answer is status and body
//
// A document may name <id 1> and <cursor 1> too. -update writes the answers of this run into the files.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, c *config) { newScenario(t, withKeys(t, c, file)).run(t, file) })
		})
	}
}

// scenario is one run of a file against one program.
type scenario struct {
	app  *app
	url  string
	keys map[string]string // by user
	ids  []string          // by first appearance
	at   []string          // cursors, likewise
	half func()            // called in the middle of the file; may be nil
}

// eachDatabase runs f with the configuration of each database that is there.
func eachDatabase(t *testing.T, f func(t *testing.T, c *config)) {
	t.Run("sqlite", func(t *testing.T) { f(t, &config{Dev: true, Data: t.TempDir()}) })
	if dbtest.HasPostgres() {
		t.Run("postgres", func(t *testing.T) { f(t, &config{Dev: true, Data: t.TempDir(), Database: dbtest.PostgresDSN(t)}) })
	}
}

func newScenario(t *testing.T, c *config) *scenario {
	t.Helper()
	return newScenarioLog(t, c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
}

func newScenarioLog(t *testing.T, c *config, log *slog.Logger) *scenario {
	t.Helper()
	a, err := newApp(t.Context(), c, log)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{app: a}
	t.Cleanup(func() {
		if err := s.app.stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	key, err := a.administrator(t.Context(), "admin@example.com", "a password for tests")
	if err != nil {
		t.Fatal(err)
	}
	s.keys = map[string]string{"admin": key}
	s.start(t)
	return s
}

// start starts the program.
func (s *scenario) start(t *testing.T) {
	t.Helper()
	if err := s.app.start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + s.app.web.Addr() + "/graphql"
}

func (s *scenario) run(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var user, query string
	var variables json.RawMessage
	var answer []byte
	send := func() {
		if query != "" {
			answer = s.mask(s.send(t, user, query, variables))
			query, variables = "", nil
		}
	}
	for i := range ar.Files {
		f := &ar.Files[i]
		words := strings.Fields(f.Name)
		switch words[0] {
		case "as":
			send()
			if s.half != nil && i >= len(ar.Files)/2 {
				s.half()
				s.half = nil
			}
			user, query = words[1], s.unmask(string(f.Data))
			s.sure(t, user, words[2:])
		case "variables":
			variables = json.RawMessage(s.unmask(string(f.Data)))
		case "answer":
			send()
			if *update {
				f.Data = answer
			} else if !bytes.Equal(answer, f.Data) {
				t.Errorf("%s, file %d: %s got\n%s\nwant\n%s", file, i+1, user, answer, f.Data)
			}
		case "absent":
			send()
			for line := range strings.Lines(string(f.Data)) {
				if line = strings.TrimSpace(line); line != "" && bytes.Contains(answer, []byte(line)) {
					t.Errorf("%s, file %d: the answer contains %q:\n%s", file, i+1, line, answer)
				}
			}
		case "upload", "upload64":
			send()
			s.sure(t, words[1], nil)
			content := f.Data
			if words[0] == "upload64" {
				var err error
				if content, err = base64.StdEncoding.DecodeString(strings.TrimSpace(string(f.Data))); err != nil {
					t.Fatalf("%s, file %d: %v", file, i+1, err)
				}
			}
			answer = s.mask(s.call(t, words[1], http.MethodPost, "/data/file?name="+url.QueryEscape(words[2]), content, nil))
		case "get":
			send()
			s.sure(t, words[1], nil)
			answer = s.mask(s.call(t, words[1], http.MethodGet, s.unmask(strings.Join(words[2:], " ")), nil, f.Data))
		case "deliver":
			send()
			answer = s.deliver(t, words[1:], f.Data)
		case "drain":
			send()
			if err := s.app.flows.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
		default:
			t.Fatalf("%s: what is %q?", file, f.Name)
		}
	}
	send()
	if *update {
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scenarioSecret is with what scenarios sign deliveries. A flow gets it by put_webhook_secret.
const scenarioSecret = "whsec_c2NlbmFyaW9zIHNpZ24gd2l0aCB0aGlzIHNlY3JldA=="

// deliver sends a delivery as a sender with a library for Standard Webhooks does.
func (s *scenario) deliver(t *testing.T, words []string, body []byte) []byte {
	t.Helper()
	ago, err := strconv.Atoi(words[2])
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(scenarioSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(words[3:], "forged") {
		key[0]++
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	at := strconv.FormatInt(time.Now().Add(-time.Duration(ago)*time.Second).Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", words[1], at, body)
	headers := fmt.Appendf(nil, "Webhook-Id: %s\nWebhook-Timestamp: %s\nWebhook-Signature: v1,%s\nContent-Type: application/json\n", words[1], at, base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	res, out := s.request(t, "nobody", http.MethodPost, "/hooks/"+words[0], body, headers)
	return append([]byte(res.Status+"\n"), s.mask(out)...)
}

// withKeys gives the configuration a key for secrets, which webhooks need.
func withKeys(t *testing.T, c *config, file string) *config {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("put_webhook_secret")) {
		c.SecretsKey = filepath.Join(t.TempDir(), "keys")
		if _, err := secret.AddKey(c.SecretsKey); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// sure makes the user, with the roles, when it is not there yet.
func (s *scenario) sure(t *testing.T, user string, roles []string) {
	t.Helper()
	if _, ok := s.keys[user]; ok {
		return
	}
	vars, err := json.Marshal(map[string]any{"name": user, "email": user + "@example.com", "roles": append([]string{}, roles...)})
	if err != nil {
		t.Fatal(err)
	}
	out := s.send(t, "admin", `mutation($name: String!, $email: String!, $roles: [String!]) {
		create_user(name: $name, email: $email, roles: $roles) { id }
		create_api_key(name: "test", user: $email) { secret }
	}`, vars)
	var answer struct {
		Data struct {
			Key struct{ Secret string } `json:"create_api_key"`
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Data.Key.Secret == "" {
		t.Fatalf("creating %s: %s", user, out)
	}
	s.keys[user] = answer.Data.Key.Secret
}

func (s *scenario) send(t *testing.T, user, query string, variables json.RawMessage) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	_, out := s.request(t, user, http.MethodPost, "/graphql", body, []byte("Content-Type: application/json"))
	return out
}

// shownHeaders are those that a scenario shows of an answer that is no JSON.
var shownHeaders = []string{"Content-Type", "Content-Length", "Content-Range", "Content-Disposition", "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control", "Etag"}

// call sends a request that is no GraphQL, with headers as lines, and returns the answer: a JSON body as it is, anything else with
// status and headers.
func (s *scenario) call(t *testing.T, user, method, path string, body, headers []byte) []byte {
	t.Helper()
	res, out := s.request(t, user, method, path, body, headers)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return out
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, res.Status)
	for _, name := range shownHeaders {
		if v := res.Header.Get(name); v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	if !utf8.Valid(out) {
		out = fmt.Appendf(nil, "(%d bytes)", len(out))
	}
	return append(append(b.Bytes(), '\n'), out...)
}

func (s *scenario) request(t *testing.T, user, method, path string, body, headers []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(s.url, "/graphql")+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "nobody" {
		req.Header.Set("Authorization", "Bearer "+s.keys[user])
	}
	for line := range strings.Lines(string(headers)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			req.Header.Set(name, value)
		}
	}
	client := http.Client{Timeout: time.Minute}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, out
}

var (
	uuidPattern   = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	timePattern   = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00"`)
	cursorPattern = regexp.MustCompile(`(?m)^( *"_?(?:cursor|startCursor|endCursor)": ")([\w-]{60,})"`)
	maskPattern   = regexp.MustCompile(`<(id|cursor) (\d+)>`)
)

// mask makes an answer the same in every run.
func (s *scenario) mask(raw []byte) []byte {
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		out.Reset()
		out.Write(bytes.TrimSuffix(raw, []byte("\n")))
	}
	text := uuidPattern.ReplaceAllStringFunc(out.String(), func(id string) string {
		if id == string(core.SystemID) || id == string(core.RootUnit) {
			return id
		}
		return fmt.Sprintf("<id %d>", numberOf(&s.ids, id))
	})
	text = cursorPattern.ReplaceAllStringFunc(text, func(line string) string {
		m := cursorPattern.FindStringSubmatch(line)
		return fmt.Sprintf(`%s<cursor %d>"`, m[1], numberOf(&s.at, m[2]))
	})
	return []byte(timePattern.ReplaceAllString(text, `"<time>"`) + "\n")
}

func (s *scenario) unmask(text string) string {
	return maskPattern.ReplaceAllStringFunc(text, func(m string) string {
		parts := maskPattern.FindStringSubmatch(m)
		list := s.ids
		if parts[1] == "cursor" {
			list = s.at
		}
		n, err := strconv.Atoi(parts[2])
		if err != nil || n < 1 || n > len(list) {
			return m
		}
		return list[n-1]
	})
}

// numberOf returns the place of s in the list, counted from 1, to which it is added when it is not there.
func numberOf(list *[]string, s string) int {
	i := slices.Index(*list, s)
	if i < 0 {
		i = len(*list)
		*list = append(*list, s)
	}
	return i + 1
}
