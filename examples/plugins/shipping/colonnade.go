package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// This file is how a service speaks with Colonnade: signed requests, after https://www.standardwebhooks.com, and answers that are kept, so that a request
// that comes again is answered as before and does nothing twice.

// request is what is asked.
type request struct {
	Action string          `json:"action"`
	Key    string          `json:"key"` // the same whenever the call is made again
	Input  json.RawMessage `json:"input"`
}

// failure is an error for who called the action. Kind is INVALID, RULE_FAILED, NOT_FOUND, DENIED, EXISTS, CONFLICT, LIMIT or UNAVAILABLE; a flow tries again after
// the last three.
type failure struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func (f *failure) Error() string { return f.Message }

// action returns a function that reads the input of an action, has it run, and returns its output.
func action[In, Out any](run func(In) (Out, error)) func(json.RawMessage) (any, error) {
	return func(raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, err
		}
		return run(in)
	}
}

const (
	maxBody = 1 << 20         // bytes of a request
	maxAge  = 5 * time.Minute // of a request; an older one was sent by somebody else
	maxKept = 10_000          // answers
)

// service answers requests that are signed with the key.
type service struct {
	key     string
	actions map[string]func(json.RawMessage) (any, error)
	now     func() time.Time

	mu    sync.Mutex
	kept  map[string]*kept // by the key of a request; a service of several processes keeps them in its database
	order []string
}

// kept is an answer, once it is there.
type kept struct {
	hash   [sha256.Size]byte // of the request
	done   chan struct{}
	answer []byte
}

func newService(key string, actions map[string]func(json.RawMessage) (any, error)) *service {
	return &service{key: key, actions: actions, now: time.Now, kept: map[string]*kept{}}
}

// ServeHTTP implements http.Handler.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request is too long", http.StatusRequestEntityTooLarge)
		return
	}
	if err := s.verify(r.Header, body); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	answer, err := s.once(r.Header.Get("Idempotency-Key"), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // the client asks again
}

// verify returns an error when somebody else has sent the request, or long ago.
func (s *service) verify(h http.Header, body []byte) error {
	at, err := strconv.ParseInt(h.Get("Webhook-Timestamp"), 10, 64)
	if err != nil || s.now().Sub(time.Unix(at, 0)).Abs() > maxAge {
		return errors.New("the request is too old")
	}
	key := []byte(s.key)
	if rest, ok := strings.CutPrefix(s.key, "whsec_"); ok { // as Standard Webhooks write keys
		if key, err = base64.StdEncoding.DecodeString(rest); err != nil {
			return errors.New("our key is no base64")
		}
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", h.Get("Webhook-Id"), at)
	mac.Write(body)
	want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for _, have := range strings.Fields(h.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(have), want) {
			return nil
		}
	}
	return errors.New("the signature is not ours")
}

// once answers a request, or gives it the answer of the time before. One that failed unforeseen is done again.
func (s *service) once(key string, body []byte) ([]byte, error) {
	hash := sha256.Sum256(body)
	s.mu.Lock()
	k, again := s.kept[key]
	if !again {
		k = &kept{hash: hash, done: make(chan struct{})}
		s.kept[key] = k
		if s.order = append(s.order, key); len(s.order) > maxKept {
			delete(s.kept, s.order[0])
			s.order = s.order[1:]
		}
	}
	s.mu.Unlock()
	if again {
		<-k.done
		if k.hash != hash {
			return nil, errors.New("the key was used for another request")
		}
		if k.answer != nil {
			return k.answer, nil
		}
		return nil, errors.New("the request failed")
	}
	defer close(k.done)
	answer, err := s.answer(body)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.kept, key)
		return nil, err
	}
	k.answer = answer
	return answer, nil
}

func (s *service) answer(body []byte) ([]byte, error) {
	var r request
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, err
	}
	run, ok := s.actions[r.Action]
	if !ok {
		return nil, fmt.Errorf("there is no action %q", r.Action)
	}
	var out bytes.Buffer
	output, err := run(r.Input)
	var f *failure
	switch {
	case errors.As(err, &f):
		err = json.NewEncoder(&out).Encode(map[string]any{"error": f})
	case err == nil:
		err = json.NewEncoder(&out).Encode(map[string]any{"output": output})
	}
	return out.Bytes(), err
}
