package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"colonnade/core"
)

// remote is a server that a command works with.
type remote struct {
	URL string // COLONNADE_URL
	Key string // COLONNADE_KEY
}

func (r *remote) flags(f *flag.FlagSet) {
	f.StringVar(&r.URL, "url", env("COLONNADE_URL", "http://127.0.0.1:8080"), "the server (COLONNADE_URL)")
	f.StringVar(&r.Key, "key", env("COLONNADE_KEY", ""), "an API key; better in the environment, where no list of processes shows it (COLONNADE_KEY)")
}

func (r *remote) check() error {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return core.E("main.remote", core.Invalid, "--url takes an address such as http://127.0.0.1:8080")
	}
	if r.Key == "" {
		return core.E("main.remote", core.Invalid, "an API key is needed: set COLONNADE_KEY, or give --key")
	}
	return nil
}

// do sends a request and returns the answer, whose body the caller closes.
func (r *remote) do(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Response, error) {
	const op = "main.remote"
	address := strings.TrimSuffix(r.URL, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, core.E(op, core.Invalid, "--url takes an address such as http://127.0.0.1:8080", err)
	}
	req.Header.Set("Authorization", "Bearer "+r.Key)
	switch {
	case path == "/graphql":
		req.Header.Set("Content-Type", "application/json")
	case body != nil:
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, core.E(op, core.Unavailable, fmt.Sprintf("the server at %s does not answer: %v", r.URL, err), err)
	}
	return res, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// call sends a mutation and reads its data.
func (r *remote) call(ctx context.Context, query string, variables map[string]any, data any) error {
	const op = "main.call"
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return core.E(op, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	res, err := r.do(ctx, http.MethodPost, "/graphql", nil, bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return core.E(op, core.Unavailable, "the answer broke off", err)
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return core.E(op, core.Invalid, fmt.Sprintf("%s answers %s, and not as Colonnade does", r.URL, res.Status), err)
	}
	if len(answer.Errors) > 0 {
		return core.E(op, core.Invalid, answer.Errors[0].Message)
	}
	if err := json.Unmarshal(answer.Data, data); err != nil {
		return core.E(op, err)
	}
	return nil
}

// refused reads the error of an answer.
func refused(res *http.Response) error {
	const op = "main.remote"
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return core.E(op, core.Unavailable, "the answer of the server did not arrive whole: "+err.Error(), err)
	}
	var answer struct {
		Errors []struct {
			Message    string
			Extensions struct{ Kind core.ErrKind }
		}
	}
	if json.Unmarshal(raw, &answer) != nil || len(answer.Errors) == 0 {
		return core.E(op, core.Unavailable, fmt.Sprintf("the server answers %s: is --url a Colonnade server?", res.Status))
	}
	e := answer.Errors[0]
	if e.Extensions.Kind == core.Internal || e.Extensions.Kind == "" {
		return core.E(op, core.Unavailable, fmt.Sprintf("the server answers %s: %s", res.Status, e.Message))
	}
	return core.E(op, e.Extensions.Kind, e.Message)
}

// openFile opens a file to read, or standard input for "-", with its size where that is known.
func openFile(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(os.Stdin), 0, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, core.E("main.openFile", core.Invalid, "the file cannot be read: "+err.Error(), err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, 0, core.E("main.openFile", core.Invalid, "the file cannot be read: "+err.Error(), err)
	}
	return f, info.Size(), nil
}
