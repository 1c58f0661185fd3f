package flows

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/tables"
)

// webhook is a trigger: deliveries to POST /hooks/<name of the flow>, signed as the specification Standard Webhooks says.
type webhook struct {
	typed     bool // the body is an object with input
	input     []core.Column
	tolerance time.Duration // how far the clock of the sender may be off, and so how long a signature is good
	rate      int           // deliveries a minute
	maxBody   int           // bytes
	sync      bool          // the answer waits for the end of the run
	timeout   time.Duration // of that
}

// The limits of what a webhook takes.
const (
	maxTolerance   = time.Hour
	maxWebhookWait = 25 * time.Second // a request has 30 s
	maxDeliveryID  = 200              // characters
)

var webhookKeys = []string{"input", "tolerance", "rate", "max_body", "answer", "timeout"}

func (r *reader) webhook(n *yaml.Node) *webhook {
	w := &webhook{tolerance: 5 * time.Minute, rate: 600, maxBody: 1 << 20, timeout: 10 * time.Second}
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return w
	}
	var timeout *yaml.Node
	r.members(n, "", "webhook", webhookKeys, func(key string, v *yaml.Node) {
		switch key {
		case "input":
			w.typed, w.input = true, r.inputs(v)
		case "tolerance":
			w.tolerance = r.duration(v, "", key, time.Second, maxTolerance)
		case "rate":
			w.rate = r.integer(v, "", key, 1, 1_000_000)
		case "max_body":
			w.maxBody = r.integer(v, "", key, 1, 256<<20)
		case "answer":
			w.sync = r.choice(v, "", key, "accepted", "sync") == "sync"
		case "timeout":
			timeout = v
			w.timeout = r.duration(v, "", key, time.Second, maxWebhookWait)
		}
	})
	if timeout != nil && !w.sync {
		r.fail(timeout, "", "timeout is how long answer: sync waits: add that, or leave timeout out")
	}
	return w
}

// Delivery is what somebody sent to the address of a webhook.
type Delivery struct {
	Flow string // in the address
	Body []byte

	ID        string // Webhook-Id: the same whenever the sender tries again
	Timestamp string // Webhook-Timestamp: seconds since 1970
	Signature string // Webhook-Signature: "v1," and a base64 text, or several of these with spaces between
}

// Hook is a delivery that was signed with the secret of the flow, within its tolerance.
type Hook struct {
	Flow    string
	Rate    int // how many deliveries a minute the flow takes
	MaxBody int // bytes

	service  *Service
	flow     core.ID
	delivery Delivery
	sync     bool
	timeout  time.Duration
}

// Receipt is what came of a delivery.
type Receipt struct {
	Run    core.ID
	Ended  bool            // the trigger asks for the end of the run, and it came in time
	Status string          // of a run that has ended
	Output json.RawMessage // what a run that succeeded shows; nil without any
}

// The kinds of the sealed secrets of webhooks, which are of their flows: the present one, and the one before it, behind the second of
// its end since 1970 in eight bytes.
const (
	secretKind = "webhook"
	beforeKind = "webhook_before"
)

// unsigned is the one answer to deliveries that nobody signed, for flows that are there and for others.
func unsigned() error {
	return core.E("flows.Receive", core.Unknown, "the delivery is not signed with the secret of a webhook here: look at the address, the secret, and the headers Webhook-Id, Webhook-Timestamp and Webhook-Signature")
}

// Receive checks who sent a delivery, and when. It writes nothing.
func (s *Service) Receive(ctx context.Context, d Delivery) (*Hook, error) {
	const op = "flows.Receive"
	at, err := strconv.ParseInt(d.Timestamp, 10, 64)
	if err != nil || d.ID == "" || len(d.ID) > maxDeliveryID || !strings.HasPrefix(d.Signature, "v1") {
		return nil, unsigned()
	}
	f, err := s.hooked(ctx, d.Flow)
	if err != nil {
		return nil, core.E(op, err)
	}
	of := core.ID("00000000-0000-0000-0000-000000000000") // so that a name that is unknown takes as long
	if f != nil {
		of = f.id
	}
	keys, err := s.keys(ctx, of)
	if err != nil {
		return nil, core.E(op, err)
	}
	ok := false
	for _, key := range keys {
		ok = d.signed(key) && len(key) > 0 || ok
	}
	if !ok || f == nil {
		return nil, unsigned()
	}
	w := f.def.trigger.webhook
	if off := s.now().Sub(time.Unix(at, 0)); off > w.tolerance || off < -w.tolerance {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("the delivery was signed more than %s from now: sign it anew, and look at the clock of the sender", w.tolerance))
	}
	return &Hook{Flow: f.name, Rate: w.rate, MaxBody: w.maxBody, service: s, flow: f.id, delivery: d, sync: w.sync, timeout: w.timeout}, nil
}

// keys returns the secrets that deliveries to the flow may be signed with: empty ones where there are none, so that those take as long.
func (s *Service) keys(ctx context.Context, of core.ID) (out [2][]byte, err error) {
	for i, kind := range []string{secretKind, beforeKind} {
		if out[i], err = s.secrets.Get(s.db.Gorm(ctx), kind, of); err != nil && core.KindOf(err) != core.NotFound {
			return out, err
		}
	}
	if before := out[1]; len(before) > 8 && s.now().Unix() < int64(binary.BigEndian.Uint64(before)) { //nolint:gosec // a time that we wrote
		out[1] = before[8:]
	} else {
		out[1] = nil
	}
	return out, nil
}

// hooked returns the flow of that name if it has a webhook, nil otherwise. It may be disabled.
func (s *Service) hooked(ctx context.Context, name string) (*flow, error) {
	all, err := s.flows(ctx, s.db)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all.flows, func(f *flow) bool { return f.name == name })
	if i < 0 || all.flows[i].def == nil || all.flows[i].def.trigger.webhook == nil {
		return nil, nil
	}
	return all.flows[i], nil
}

// signed reports whether one of the signatures is that of the key.
func (d *Delivery) signed(key []byte) bool {
	want := []byte("v1," + d.sign(key))
	ok := false
	for have := range strings.FieldsSeq(d.Signature) {
		ok = hmac.Equal([]byte(have), want) || ok
	}
	return ok
}

// sign covers the id too, so that who has overheard a delivery cannot have it count as another one.
func (d *Delivery) sign(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(d.ID + "." + d.Timestamp + "."))
	h.Write(d.Body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// Start has the delivery start its run, and waits for its end where the flow says so. A delivery that was there before gets the run of
// the first. Without an error the run exists, and with one there is none of this delivery.
func (h *Hook) Start(ctx context.Context) (Receipt, error) {
	const op = "flows.Start"
	key := "webhook/" + h.delivery.ID
	for {
		id, err := h.service.keyed(ctx, h.flow, key)
		if err == nil && id == "" {
			id, err = h.begin(ctx, key)
			if core.KindOf(err) == core.Exists {
				continue // another delivery with the same id was faster
			}
		}
		if err != nil {
			return Receipt{}, core.E(op, err)
		}
		if !h.sync {
			return Receipt{Run: id}, nil
		}
		return h.wait(ctx, id), nil
	}
}

// keyed returns the run of the flow that has the key, "" for none.
func (s *Service) keyed(ctx context.Context, flow core.ID, key string) (id core.ID, err error) {
	b := db.New(s.db.Dialect).Write(`SELECT CAST(id AS text) FROM "_flow_run" WHERE flow_id = `).Arg(flow).Write(" AND key = ").Arg(key)
	err = s.db.Query(ctx, b, func(scan func(...any) error) error { return scan(&id) })
	return id, err
}

// begin writes the run.
func (h *Hook) begin(ctx context.Context, key string) (id core.ID, err error) {
	s := h.service
	err = s.db.Tx(ctx, db.TxOptions{}, func(tx *db.Tx) error {
		f, source, err := s.find(ctx, tx, h.Flow)
		if err != nil {
			return err
		}
		if f == nil || f.id != h.flow {
			return unsigned()
		}
		if f.def, err = s.definition(f.id, f.version, source); err != nil {
			return err
		}
		w := f.def.trigger.webhook
		switch {
		case w == nil:
			return unsigned()
		case !f.enabled:
			return core.E("flows.begin", core.Unavailable, fmt.Sprintf("the flow %s is disabled: send the delivery again when it is enabled", f.name))
		}
		now := s.now()
		input, err := w.read(h.delivery, now)
		if err != nil {
			return err
		}
		n := newRun{flow: f, kind: "webhook", input: input, key: key, cause: core.Cause{Kind: "webhook"}, startedBy: core.SystemID, due: now}
		as, err := s.store.Snapshot().Policy.Caller(f.runAs, core.Cause{})
		if err != nil {
			return core.E("flows.begin", core.Unavailable, "the user that the flow acts as cannot act now: send the delivery again later")
		}
		n.unit = as.Unit
		ids, err := s.insert(ctx, tx, []newRun{n})
		if err == nil {
			id = ids[0]
		}
		return err
	})
	return id, err
}

// read returns what expressions see as trigger of a delivery.
func (w *webhook) read(d Delivery, now time.Time) ([]byte, error) {
	const op = "flows.read"
	trigger := map[string]any{"kind": "webhook", "at": now, "id": d.ID, "body": nil}
	if len(d.Body) > 0 {
		if !json.Valid(d.Body) {
			return nil, core.E(op, core.Invalid, "the body is no JSON: send JSON in UTF-8, or nothing")
		}
		trigger["body"] = json.RawMessage(d.Body)
	}
	if w.typed {
		var body map[string]any
		if err := unmarshal(d.Body, &body); err != nil || body == nil {
			return nil, core.E(op, core.Invalid, "the body is no JSON object with the inputs of the flow")
		}
		for name := range body { // senders tell more than a flow asks for
			if !slices.ContainsFunc(w.input, func(c core.Column) bool { return c.Name == name }) {
				delete(body, name)
			}
		}
		in, err := plainInput(w.input, body)
		if err != nil {
			return nil, err
		}
		trigger["input"] = in
	}
	return toJSON(trigger)
}

// wait returns how the run ended, or that it has not yet.
func (h *Hook) wait(ctx context.Context, id core.ID) Receipt {
	ctx, stop := context.WithTimeout(ctx, h.timeout)
	defer stop()
	out := Receipt{Run: id}
	r, err := h.service.Wait(ctx, id)
	if err != nil {
		return out // the run exists, whatever keeps us from watching it
	}
	b := db.New(h.service.db.Dialect).Write(`SELECT CAST(output AS text) FROM "_flow_run" WHERE id = `).Arg(id)
	err = h.service.db.Query(ctx, b, func(scan func(...any) error) error {
		var raw []byte
		if err := scan(&raw); err != nil || len(raw) == 0 {
			return err
		}
		output, err := toJSON(json.RawMessage(raw)) // as every database spells it
		out.Output = output
		return err
	})
	if err != nil {
		return Receipt{Run: id}
	}
	out.Ended, out.Status = true, r.Status
	return out
}

// The forms of a secret, as Standard Webhooks has them.
const (
	secretPrefix = "whsec_"
	minSecret    = 24 // bytes
	maxSecret    = 64
)

// maxOverlap is how long two secrets of a webhook are good at most.
const maxOverlap = 7 * 24 * time.Hour

// PutSecret keeps the secret with which deliveries to the webhook of a flow are signed, in place of the one before, and returns it; it
// makes one when secret is empty. The one before is good for so long yet, at most for a week, and at once no more when that is zero. The
// caller needs the right to manage flows.
func (s *Service) PutSecret(ctx context.Context, name, secret string, before time.Duration) (string, error) {
	const op = "flows.PutSecret"
	if before < 0 || before > maxOverlap {
		return "", core.E(op, core.Invalid, core.At{Column: "keep_seconds"}, fmt.Sprintf("the secret before stays good for %d seconds at most", int(maxOverlap.Seconds())))
	}
	if secret == "" {
		b := make([]byte, 32)
		_, _ = rand.Read(b)
		secret = secretPrefix + base64.StdEncoding.EncodeToString(b)
	}
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return "", core.E(op, core.Invalid, core.At{Column: "secret"}, fmt.Sprintf("a secret is written as %s and the base64 of %d to %d bytes: leave it out to have one made", secretPrefix, minSecret, maxSecret))
	}
	err = s.store.Tx(ctx, tables.TxOptions{}, func(ctx context.Context, tx *tables.Tx) error {
		if err := tx.Snapshot().Policy.May(core.CallerFrom(ctx), "manage_flows"); err != nil {
			return err
		}
		f, source, err := s.find(ctx, tx.DB(), name)
		if err != nil {
			return err
		}
		if f == nil {
			return core.E(op, noFlow(name))
		}
		if f.def, err = s.definition(f.id, f.version, source); err != nil {
			return err
		}
		if f.def.trigger.webhook == nil {
			return core.E(op, core.Invalid, fmt.Sprintf("the flow %s has no webhook: give it trigger: {webhook: {}}", name))
		}
		if err := s.retire(ctx, tx.DB(), f.id, before); err != nil {
			return err
		}
		return s.secrets.Put(ctx, tx.DB(), secretKind, f.id, key)
	})
	return secret, core.E(op, err)
}

// retire keeps the present secret of a webhook for so long yet, and forgets the one before it.
func (s *Service) retire(ctx context.Context, tx *db.Tx, of core.ID, good time.Duration) error {
	if good == 0 {
		return s.secrets.Drop(ctx, tx, beforeKind, of)
	}
	key, err := s.secrets.Get(tx.Gorm(ctx), secretKind, of)
	if core.KindOf(err) == core.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	until := uint64(s.now().Add(good).Unix()) //nolint:gosec // after 1970
	return s.secrets.Put(ctx, tx, beforeKind, of, append(binary.BigEndian.AppendUint64(nil, until), key...))
}

// webhookActions are what people do about webhooks.
func (s *Service) webhookActions() []core.Action {
	return []core.Action{{
		Name: "put_webhook_secret", Doc: "Sets the secret with which deliveries to the webhook of a flow are signed, in place of the one before. It is shown once.",
		Privilege: "manage_flows", Secret: true,
		Input: []core.Column{
			{Name: "flow", Kind: core.Text, Required: true, Doc: "The flow."},
			{Name: "secret", Kind: core.Text, MaxLength: 200, Doc: "whsec_ and the base64 of 24 to 64 bytes, as the sender shows it; a new one is made when left out."},
			{Name: "keep_seconds", Kind: core.Integer, Doc: "For how long the secret before stays good, so that the sender can change over; not at all when left out, at most 604800."},
		},
		Output: []core.Column{
			{Name: "secret", Kind: core.Text, Required: true, Doc: "The secret, for the sender."},
			{Name: "path", Kind: core.Text, Required: true, Doc: "Where deliveries are sent, at the address of this server."},
		},
		Examples: []core.Example{{Doc: "needs a flow with a webhook, and a server with a key for secrets", In: core.Record{"flow": "new_order"}}},
		Run: func(ctx context.Context, c core.Call) (core.Record, error) {
			secret, err := s.PutSecret(ctx, c.Text("flow"), c.Text("secret"), time.Duration(max(-1, min(c.Int("keep_seconds", 0), 1<<32)))*time.Second)
			return core.Record{"secret": secret, "path": HookPath + c.Text("flow")}, err
		},
	}}
}

// HookPath is where webhooks are, followed by the name of a flow.
const HookPath = "/hooks/"
