package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
)

// liveChanges is how many changes are told to everybody.
const liveChanges = 20

// liveTable is what is subscribed to.
const liveTable = `mutation { create_table(name: "ticker", columns: [{name: "price", kind: "integer"}]) { table } }`

// subscribers measures n subscribers to one live query, each over a connection of its own: what a server needs for them, and how long after a
// change was committed they have it.
func subscribers(ctx context.Context, o *options, dir string, n int) error {
	args := []string{"serve", "--dev", "--data", dir, "--key-file", dir + "/key"}
	s, err := start(ctx, dir, "live", o.colonnade, args...)
	if err != nil {
		return err
	}
	defer s.stop() //nolint:errcheck // it was measured
	if s.key, err = s.awaitFile(ctx, dir+"/key"); err != nil {
		return err
	}
	for _, m := range []string{liveTable, `mutation { insert_ticker_one(object: {price: 0}) { id } }`} {
		if err := s.mutate(ctx, m); err != nil {
			return err
		}
	}
	before, err := s.memory("VmRSS:")
	if err != nil {
		return err
	}
	all := &audience{told: make(chan told, n)}
	defer all.leave()
	begun := time.Now()
	if err := all.join(ctx, s, n); err != nil {
		return err
	}
	joined := time.Since(begun)
	held, err := s.memory("VmRSS:")
	if err != nil {
		return err
	}
	var late []time.Duration
	spent := cpu(s.cmd.Process.Pid)
	for price := 1; price <= liveChanges; price++ {
		if err := s.mutate(ctx, fmt.Sprintf(`mutation { update_ticker(where: {}, _set: {price: %d}) { affected_rows } }`, price)); err != nil {
			return err
		}
		committed := time.Now()
		for range n {
			select {
			case t := <-all.told:
				if t.err != nil {
					return t.err
				}
				if want := `"price":` + strconv.Itoa(price) + `}`; !strings.Contains(t.text, want) {
					return fmt.Errorf("was told %s, not %s", t.text, want)
				}
				late = append(late, max(0, t.at.Sub(committed)))
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return errors.New("somebody was not told within a minute")
			}
		}
	}
	spent = (cpu(s.cmd.Process.Pid) - spent) / liveChanges
	after, err := s.memory("VmRSS:")
	if err != nil {
		return err
	}
	slices.Sort(late)
	at := func(p float64) time.Duration { return late[int(p*float64(len(late)-1))].Round(time.Millisecond) }
	fmt.Printf("%d subscribers joined in %s. Memory %d MB before, %d MB with them (%.1f kB each), %d MB after %d changes (%.1f kB each). Told after the commit: p50 %s, p99 %s, last %s; CPU time of the server %s a change\n",
		n, joined.Round(time.Millisecond), before>>10, held>>10, float64(held-before)/float64(n), after>>10, liveChanges, float64(after-before)/float64(n), at(0.5), at(0.99), at(1), spent.Round(time.Millisecond))
	return nil
}

// mutate sends a mutation.
func (s *server) mutate(ctx context.Context, query string) error {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr+"/graphql", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	var out struct{ Errors []any }
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	if len(out.Errors) > 0 {
		return fmt.Errorf("%s: %v", query, out.Errors)
	}
	return nil
}

// told is a message, and when it came.
type told struct {
	text string
	at   time.Time
	err  error
}

// audience is everybody who is subscribed.
type audience struct {
	told    chan told
	mu      sync.Mutex
	conns   []*websocket.Conn
	reading sync.WaitGroup
	left    bool
}

// join connects n subscribers, some at a time, and waits until each has its first answer.
func (a *audience) join(ctx context.Context, s *server, n int) error {
	var dialing sync.WaitGroup
	tickets, failed := make(chan struct{}, n), make(chan error, 8)
	for range n {
		tickets <- struct{}{}
	}
	close(tickets)
	for range cap(failed) {
		dialing.Go(func() {
			for range tickets {
				if err := a.subscribe(ctx, s); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	dialing.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (a *audience) subscribe(ctx context.Context, s *server) error {
	d := websocket.Dialer{HandshakeTimeout: time.Minute, Subprotocols: []string{"graphql-transport-ws"}, ReadBufferSize: 512, WriteBufferSize: 512}
	conn, res, err := d.DialContext(ctx, "ws://"+s.addr+"/graphql", nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	a.mu.Lock()
	a.conns = append(a.conns, conn)
	a.mu.Unlock()
	for _, m := range []string{
		`{"type":"connection_init","payload":{"token":"` + s.key + `"}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"subscription { ticker { price } }"}}`,
	} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(m)); err != nil {
			return err
		}
		if _, raw, err := conn.ReadMessage(); err != nil {
			return err
		} else if bytes.Contains(raw, []byte(`"error"`)) {
			return fmt.Errorf("refused: %s", raw)
		}
	}
	a.reading.Go(func() {
		for {
			_, raw, err := conn.ReadMessage()
			a.mu.Lock()
			left := a.left
			a.mu.Unlock()
			if left {
				return
			}
			a.told <- told{string(raw), time.Now(), err}
			if err != nil {
				return
			}
		}
	})
	return nil
}

// leave ends every connection.
func (a *audience) leave() {
	a.mu.Lock()
	a.left = true
	for _, c := range a.conns {
		_ = c.Close()
	}
	a.mu.Unlock()
	go func() {
		for range a.told {
		}
	}()
	a.reading.Wait()
	close(a.told)
}
