package coffee

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// client speaks GraphQL with a Colonnade server, as any program of a customer would.
type client struct {
	url, key string
	http     *http.Client
}

func newClient(url, key string) *client {
	return &client{url: url, key: key, http: &http.Client{Timeout: 2 * time.Minute}}
}

// as returns a client that acts with another key.
func (c *client) as(key string) *client { return &client{url: c.url, key: key, http: c.http} }

// do sends a document and decodes data into out, which may be nil.
func (c *client) do(ctx context.Context, query string, variables map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.key)
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the server answered %s: %.300s", res.Status, raw)
	}
	if len(answer.Errors) > 0 {
		var all []string
		for _, e := range answer.Errors {
			all = append(all, e.Message)
		}
		return fmt.Errorf("%s", strings.Join(all, "; "))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Data, out)
}

// page is how many records one query reads.
const page = 1000

// all reads all records of a table, by primary key, page by page. fields must contain id.
func all[T any](ctx context.Context, c *client, table, fields string, id func(T) string) ([]T, error) {
	query := fmt.Sprintf(`query($after: uuid!) { rows: %s(where: {id: {_gt: $after}}, order_by: {id: asc}, limit: %d) { %s } }`, table, page, fields)
	last := "00000000-0000-0000-0000-000000000000"
	var out []T
	for {
		var answer struct{ Rows []T }
		if err := c.do(ctx, query, map[string]any{"after": last}, &answer); err != nil {
			return nil, fmt.Errorf("reading %s: %w", table, err)
		}
		out = append(out, answer.Rows...)
		if len(answer.Rows) < page {
			return out, nil
		}
		last = id(answer.Rows[page-1])
	}
}
