package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// request returns the bytes of an HTTP request on a connection that stays open.
func request(method, addr, target, key string, body []byte) []byte {
	b := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, addr)
	if key != "" {
		b = fmt.Appendf(b, "Authorization: Bearer %s\r\n", key)
	}
	if method == "POST" {
		b = fmt.Appendf(b, "Content-Type: application/json\r\nContent-Length: %s\r\n", strconv.Itoa(len(body)))
	}
	return append(append(b, "\r\n"...), body...)
}

// client is one connection.
type client struct {
	conn   net.Conn
	reader *bufio.Reader
	answer fasthttp.Response
}

func dial(ctx context.Context, addr string) (*client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, reader: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// maxWait is how long an answer may take.
const maxWait = 10 * time.Second

// do sends a request and returns the body of the answer, which is valid until the next call.
func (c *client) do(raw []byte) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(maxWait)); err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(raw); err != nil {
		return nil, err
	}
	if err := c.answer.Read(c.reader); err != nil {
		return nil, err
	}
	body := c.answer.Body()
	if code := c.answer.StatusCode(); code != fasthttp.StatusOK || len(body) == 0 || bytes.Contains(body, []byte(`"errors":[`)) {
		return nil, fmt.Errorf("status %d: %.300s", code, body)
	}
	return body, nil
}

// run is what one run of load counted.
type run struct {
	requests int
	bytes    int
	took     time.Duration
	waits    []time.Duration // of each request, ascending
}

func (r *run) perSecond() float64 { return float64(r.requests) / r.took.Seconds() }

func (r *run) quantile(q float64) time.Duration { return r.waits[int(q*float64(len(r.waits)-1))] }

// drive sends the requests over and over, on conns connections with one request at a time each, for d.
// The first request that fails ends the run.
func drive(ctx context.Context, addr string, requests [][]byte, conns int, d time.Duration) (*run, error) {
	clients := make([]*client, conns)
	for i := range clients {
		c, err := dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		clients[i] = c
	}
	runs, errs := make([]run, conns), make([]error, conns)
	start := time.Now()
	var wait sync.WaitGroup
	for i, c := range clients {
		wait.Go(func() { errs[i] = c.repeat(ctx, requests, i*len(requests)/conns, start.Add(d), &runs[i]) })
	}
	wait.Wait()
	total := &run{took: time.Since(start)}
	for i := range runs {
		total.requests += runs[i].requests
		total.bytes += runs[i].bytes
		total.waits = append(total.waits, runs[i].waits...)
	}
	slices.Sort(total.waits)
	return total, errors.Join(errs...)
}

// repeat sends requests from the n-th on until the moment until.
func (c *client) repeat(ctx context.Context, requests [][]byte, n int, until time.Time, r *run) error {
	for now := time.Now(); now.Before(until); n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		body, err := c.do(requests[n%len(requests)])
		if err != nil {
			return err
		}
		then := time.Now()
		r.requests++
		r.bytes += len(body)
		r.waits = append(r.waits, then.Sub(now))
		now = then
	}
	return nil
}
