package request

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"colonnade/core"
	"colonnade/core/egress"
)

// answer is what a server sent.
type answer struct {
	status int
	header http.Header
	body   []byte
	told   []string // secrets, which are not passed on where they come back
}

// hidden stands in place of a secret.
const hidden = "***"

func (a *answer) hide(s string) string {
	for _, secret := range a.told {
		s = strings.ReplaceAll(s, secret, hidden)
	}
	return s
}

// record is the answer as the action returns it.
func (a *answer) record() (core.Record, error) {
	headers := map[string]any{}
	for name, values := range a.header {
		headers[strings.ToLower(name)] = a.hide(strings.Join(values, ", "))
	}
	raw, err := json.Marshal(headers)
	if err != nil {
		return nil, core.E("request.record", err)
	}
	out := core.Record{"status": int64(a.status), "headers": json.RawMessage(raw)}
	if len(a.body) == 0 {
		return out, nil
	}
	if v, ok := a.json(); ok {
		out["body"] = v
		return out, nil
	}
	text := a.hide(string(a.body))
	if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		out["body64"] = base64.StdEncoding.EncodeToString([]byte(text))
		return out, nil
	}
	out["body"] = json.RawMessage(core.AppendString(nil, text))
	return out, nil
}

// json returns the body where it is JSON that can be kept, and the server does not say that it is something else.
func (a *answer) json() (json.RawMessage, bool) {
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err == nil && kind != "application/json" && !strings.HasSuffix(kind, "+json") {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil || !ended(d) {
		return nil, false
	}
	raw, err := json.Marshal(a.hidden(v))
	if err != nil {
		return nil, false
	}
	raw, err = core.CanonicalJSON(raw)
	return raw, err == nil
}

func ended(d *json.Decoder) bool {
	_, err := d.Token()
	return err == io.EOF //nolint:errorlint // as a decoder says it
}

// hidden is v without secrets, in whatever form JSON had them.
func (a *answer) hidden(v any) any {
	switch v := v.(type) {
	case string:
		return a.hide(v)
	case []any:
		for i := range v {
			v[i] = a.hidden(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[a.hide(key)] = a.hidden(item)
		}
		return out
	}
	return v
}

// maxQuote is how much of an answer an error quotes, in bytes.
const maxQuote = 500

// refused says that the server did not do what was asked.
func (a *answer) refused(r *asked, now time.Time) error {
	const op = "request.refused"
	said := fmt.Sprintf("%s answered %s %s with the status %d", r.url.Host, r.method, r.url.EscapedPath(), a.status)
	if quote := strings.TrimSpace(a.hide(string(a.body))); quote != "" && utf8.ValidString(quote) {
		if len(quote) > maxQuote {
			quote = strings.ToValidUTF8(quote[:maxQuote], "") + "…"
		}
		said += ": " + quote
	}
	switch {
	case egress.Busy(a.status):
		if wait := egress.RetryAfter(a.header, now); wait > 0 {
			return core.E(op, core.Unavailable, said, core.Wait(wait))
		}
		return core.E(op, core.Unavailable, said)
	case a.status < http.StatusBadRequest:
		return core.E(op, core.Failed, fmt.Sprintf("%s and sends on to %s: call that address", said, a.hide(a.header.Get("Location"))))
	}
	return core.E(op, core.Failed, said)
}
