package external

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"colonnade/core"
	"colonnade/core/egress"
)

// CheckOptions of [Check].
type CheckOptions struct {
	Key string // what requests to a service are signed with; without it a service is not called
}

// Check says what is wrong with the plugin in the folder, and runs its examples as a server would. It returns a sentence for each thing that it has found in order.
// There are no records during a check: what a plugin asks of the API is refused.
func Check(ctx context.Context, folder string, o CheckOptions) (said []string, err error) {
	const op = "external.Check"
	p, err := Load(folder)
	if err != nil {
		return nil, core.E(op, err)
	}
	said = append(said, fmt.Sprintf("%s %s: %s, %s", p.Name, p.Version, core.Count(len(p.Manifest.Actions), "action"), p.Digest))
	s, l := checker(p, o), &loaded{Plugin: p}
	if p.Wasm != "" {
		defer func() {
			if l.ran != nil {
				_ = l.ran.close(context.WithoutCancel(ctx))
			}
		}()
		if _, err := l.module(ctx, nil); err != nil {
			return said, core.E(op, err)
		}
		said = append(said, "the module "+p.Wasm+" compiles, and imports what there is")
	} else if o.Key == "" {
		return append(said, "the service is called with --key-file, and was not"), nil
	}
	for i := range p.Manifest.Actions {
		a := &p.Manifest.Actions[i]
		for j, x := range a.Examples {
			if err := s.try(ctx, l, a, x); err != nil {
				return said, core.E(op, err, fmt.Sprintf("action %s, example %d: %s", a.Name, j+1, core.AsError(err).Public()))
			}
		}
		said = append(said, fmt.Sprintf("action %s: %s", a.Name, count(len(a.Examples))))
	}
	return said, nil
}

func count(examples int) string {
	if examples == 0 {
		return "it has no examples"
	}
	return core.Count(examples, "example") + " answered as described"
}

// checker is a service without a store.
func checker(p *Plugin, o CheckOptions) *Service {
	s := &Service{}
	s.secretOf = func(_ context.Context, _, name string) (string, error) {
		if name == SigningKey && p.URL != "" {
			return o.Key, nil
		}
		return "", core.E("external.Check", core.Denied, "there are no secrets during a check")
	}
	here := egress.Options{Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	if u, err := url.Parse(p.URL); err == nil {
		if port, err := strconv.Atoi(u.Port()); err == nil {
			here.Ports = append(here.Ports, port)
		}
	}
	s.begin(Options{Egress: egress.New(here), Log: slog.New(slog.DiscardHandler), Query: func(context.Context, string, json.RawMessage, string) json.RawMessage {
		return json.RawMessage(`{"errors": [{"message": "there are no records during a check"}]}`)
	}})
	return s
}

// try runs an example.
func (s *Service) try(ctx context.Context, p *loaded, a *Action, x Example) error {
	out, err := s.perform(ctx, p, a, core.Call{In: x.In, Key: "check"})
	if err != nil || x.Out == nil {
		return err
	}
	want := core.Table{Name: a.Name, Columns: a.Output}
	for _, c := range a.Output {
		if _, ok := x.Out[c.Name]; !ok {
			delete(out, c.Name) // what the example does not speak of
		}
	}
	if got, wants := want.AppendJSON(nil, out), want.AppendJSON(nil, x.Out); !slices.Equal(got, wants) {
		return core.E("external.try", core.Failed, fmt.Sprintf("it answered %s, and the example says %s", shortened(got), shortened(wants)))
	}
	return nil
}

func shortened(b []byte) string { return strings.ToValidUTF8(string(b[:min(len(b), 400)]), "") }
