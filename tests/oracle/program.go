package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// Program is a running program, with nothing in it yet, and an administrator's key to it.
type Program struct {
	URL    string // without a path
	Key    string
	Client *http.Client
}

// send asks with a key, and returns the body of the answer.
func (p *Program) send(t testing.TB, key, document string, variables map[string]any) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	return p.call(t, key, http.MethodPost, "/graphql", body)
}

func (p *Program) call(t testing.TB, key, method, path string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := p.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// answered is the answer to a request.
type answered struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Extensions struct{ Kind, Table, Column string }
	}
}

func (a *answered) kind() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions.Kind
}

func understood(t testing.TB, body []byte) (a answered) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a
}

// must asks as the administrator, and fails when that was refused.
func (p *Program) must(t testing.TB, document string, variables map[string]any) map[string]any {
	t.Helper()
	out, err := p.try(t, document, variables)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (p *Program) try(t testing.TB, document string, variables map[string]any) (map[string]any, error) {
	t.Helper()
	body := p.send(t, p.Key, document, variables)
	if a := understood(t, body); len(a.Errors) == 0 {
		return a.Data, nil
	}
	return nil, fmt.Errorf("%s\n%s", document, body)
}
