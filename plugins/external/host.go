package external

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"

	"colonnade/core"
)

// hosting is what the host does for one call of a module, with the rights of who calls it as far as its manifest asks for them.
type hosting struct {
	service *Service
	plugin  *Plugin
	key     string // of the call; the same when it is made again

	calls int
	made  map[string]int // how often the same request was made
	reply []byte
	fault error // ends the call
}

// hostRequest is what a module asks of its host: op says which of the other members count.
type hostRequest struct {
	Op string `json:"op"` // graphql, http or log

	Query     string          `json:"query"`
	Variables json.RawMessage `json:"variables"`

	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`

	Level   string `json:"level"`
	Message string `json:"message"`
}

// hostReplied is what a module is told: the answer of the API as it is, that of a server, or what was wrong.
type hostReplied struct {
	GraphQL json.RawMessage `json:"graphql,omitempty"`
	HTTP    *httpReply      `json:"http,omitempty"`
	Error   *wireError      `json:"error,omitempty"`
}

// maxReply is how large a reply to a module is at most.
const maxReply = 8 << 20

// maxLogged is how long what a module logs is at most, in bytes.
const maxLogged = 1 << 10

// answer does what a module asks for. What is wrong with it, the module is told.
func (h *hosting) answer(ctx context.Context, request []byte) []byte {
	out, err := h.do(ctx, request)
	if err == nil {
		var b []byte
		if b, err = json.Marshal(out); err == nil && len(b) <= maxReply {
			return b
		}
		if err == nil {
			err = core.E("external.answer", core.Limit, "the reply has more than 8MB: ask for less")
		}
	}
	b, err := json.Marshal(hostReplied{Error: &wireError{Kind: string(core.KindOf(err)), Message: core.AsError(err).Public()}})
	if err != nil {
		panic(err) // texts
	}
	return b
}

func (h *hosting) do(ctx context.Context, raw []byte) (out hostReplied, err error) {
	const op = "external.host"
	var r hostRequest
	if err := json.Unmarshal(raw, &r); err != nil {
		return out, core.E(op, core.Invalid, "the request is no JSON object of the form {\"op\": \"graphql\", ...}", err)
	}
	w := &h.plugin.Wants
	switch r.Op {
	case "graphql":
		if !w.reads() {
			return out, h.unasked("tables", "graphql")
		}
		out.GraphQL = h.service.o.Query(ctx, r.Query, r.Variables, h.once(raw))
	case "http":
		if len(w.Hosts) == 0 {
			return out, h.unasked("hosts", "http")
		}
		out.HTTP, err = h.fetch(ctx, r, h.once(raw))
	case "log":
		if !w.Log {
			return out, h.unasked("log", "log")
		}
		err = h.log(ctx, r)
	default:
		ops := []string{"graphql", "http", "log"}
		err = core.E(op, core.Invalid, fmt.Sprintf("there is no op %q%s; there are: graphql, http, log", r.Op, near(r.Op, ops)))
	}
	return out, core.E(op, err)
}

func (h *hosting) unasked(capability, op string) error {
	return core.E("external.unasked", core.Denied, fmt.Sprintf("the manifest of %s asks for no %s, so there is no %s", h.plugin.Name, capability, op))
}

// once returns a key of a request that is the same when the call is made again and comes to the same request; "" where nobody makes it again.
func (h *hosting) once(raw []byte) string {
	if h.key == "" {
		return ""
	}
	sum := sha256.Sum256(raw)
	h.made[string(sum[:])]++
	all := sha256.Sum256([]byte(h.plugin.Name + "\n" + h.key + "\n" + strconv.Itoa(h.made[string(sum[:])]) + "\n" + string(sum[:])))
	return "plugin/" + hex.EncodeToString(all[:])
}

func (h *hosting) log(ctx context.Context, r hostRequest) error {
	levels := []string{"debug", "info", "warn", "error"}
	var l slog.Level
	if !slices.Contains(levels, r.Level) || l.UnmarshalText([]byte(r.Level)) != nil {
		return core.E("external.log", core.Invalid, fmt.Sprintf("there is no level %q%s; there are: debug, info, warn, error", r.Level, near(r.Level, levels)))
	}
	if len(r.Message) > maxLogged {
		return core.E("external.log", core.Limit, "a message has at most 1,024 bytes")
	}
	h.service.o.Log.Log(ctx, l, "plugins: a plugin says", "plugin", h.plugin.Name, "call", h.key, "message", r.Message)
	return nil
}
