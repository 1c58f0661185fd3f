package web

import (
	"sync"
	"time"

	"github.com/fasthttp/websocket"
)

// How much waits for one connection at most, so that a slow reader costs no more. An operation whose answer does not fit is ended with
// an error. A connection for which so much waits in spite of that is cut off.
const (
	maxWaiting = 8 << 20 // bytes
	maxQueue   = 4096    // messages
)

// outbox is what waits to be sent over a connection. Who puts something in never waits; a goroutine sends while there is something.
type outbox struct {
	conn   *websocket.Conn
	wait   time.Duration // for a reader who takes nothing
	failed func()        // called once when nothing can be sent any more

	mu      sync.Mutex
	queue   []item
	bytes   int // of what waits
	sending bool
	closed  bool // nothing more is taken

	senders sync.WaitGroup
}

// item is a message, or an operation that has an answer to send, or the end of the connection.
type item struct {
	message []byte
	op      *operation
	ping    bool
	code    int // with which the connection is closed; 0 otherwise
}

// put adds a message.
func (o *outbox) put(i item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(i)
}

// add adds an item. The outbox is locked.
func (o *outbox) add(i item) {
	if o.closed {
		return
	}
	if o.bytes += len(i.message); o.bytes > 2*maxWaiting || len(o.queue) >= maxQueue {
		o.closed, o.queue = true, nil
		go o.failed()
		return
	}
	o.queue = append(o.queue, i)
	if !o.sending {
		o.sending = true
		o.senders.Go(o.send)
	}
}

// close has the connection closed behind what waits.
func (o *outbox) close(code int, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(item{code: code, message: []byte(reason)})
	o.closed = true
}

// shut takes nothing more, and forgets what waits.
func (o *outbox) shut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed, o.queue, o.bytes = true, nil, 0
}

// send sends until nothing waits.
func (o *outbox) send() {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.sending, o.queue = false, nil
			o.mu.Unlock()
			return
		}
		i := o.queue[0]
		o.queue[0] = item{}
		o.queue = o.queue[1:]
		o.bytes -= len(i.message)
		var payload []byte
		held := false
		if i.op != nil {
			payload, held = i.op.take()
		}
		o.mu.Unlock()
		if err := o.write(i, payload); err != nil {
			o.shut()
			o.failed()
			return
		}
		if held {
			i.op.resume()
		}
	}
}

func (o *outbox) write(i item, payload []byte) error {
	until := time.Now().Add(o.wait)
	switch {
	case i.code != 0:
		_ = o.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(i.code, reason(i.message)), until)
		return o.conn.SetReadDeadline(time.Now().Add(closeWait)) // the other end closes too, and ends the reader
	case i.ping:
		return o.conn.WriteControl(websocket.PingMessage, nil, until)
	}
	if err := o.conn.SetWriteDeadline(until); err != nil {
		return err
	}
	if i.op == nil {
		return o.conn.WriteMessage(websocket.TextMessage, i.message)
	}
	if payload == nil {
		return nil // it has ended since
	}
	w, err := o.conn.NextWriter(websocket.TextMessage)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{around(i.op.sock.protocol.next, i.op.id), payload, {'}'}} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return w.Close()
}

const (
	closeWait = 2 * time.Second // for the other end to close too
	maxReason = 123             // bytes, of a frame that closes a connection
)

func reason(text []byte) string {
	return string(text[:min(len(text), maxReason)])
}

// buffers are for messages that are being written: a connection that has nothing to say has none.
var buffers = &sync.Pool{}
