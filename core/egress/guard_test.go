package egress

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"colonnade/core"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inside are addresses that nobody may be sent to: the twenty of the list of peers' bugs, and their neighbours.
var inside = []string{
	"127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "0.1.2.3", "::", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "fe80::1", "fc00::1", "fd00:ec2::254",
	"100.64.0.1", "100.127.255.255", "100.100.100.200", "192.0.0.192", "198.18.0.1", "198.19.255.255", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1",
	"fec0::1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::7f00:1", "::10.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
	"2001::1", "2001:0:7f00:1::", "2001:db8::1", "3fff::1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "168.63.129.16", "ff02::1", "5f00::1", "100::1",
}

func TestAttackA15Addresses(t *testing.T) {
	g := New(Options{})
	for _, ip := range inside {
		if err := g.control(t.Context(), "tcp", net.JoinHostPort(ip, "443"), nil); core.KindOf(err) != core.Denied {
			t.Errorf("%s may be dialled: %v", ip, err)
		}
		if err := g.CheckURL("https://" + host(ip) + "/"); core.KindOf(err) != core.Denied {
			t.Errorf("%s may be written into a URL: %v", ip, err)
		}
	}
	if err := g.control(t.Context(), "tcp6", "[fe80::1%eth0]:443", nil); core.KindOf(err) != core.Denied {
		t.Errorf("an address with a zone may be dialled: %v", err)
	}
	for _, ip := range []string{"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "::ffff:8.8.8.8", "2001:200::1", "2606:4700:4700::1111", "2a00:1450::1"} {
		must(t, g.control(t.Context(), "tcp", net.JoinHostPort(ip, "443"), nil))
		must(t, g.CheckURL("https://"+host(ip)+"/"))
	}
}

func host(ip string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]"
	}
	return ip
}

func TestAttackA15URLs(t *testing.T) {
	g := New(Options{Ports: []int{9000}})
	for address, want := range map[string]core.ErrKind{
		"https://example.com":               "",
		"HTTP://example.com:80/a?b=c":       "",
		"https://example.com:9000/":         "",
		"https://example.com:8443":          "",
		"https://example.com:22/":           core.Denied,
		"https://example.com:0/":            core.Denied,
		"https://example.com:99999/":        core.Denied,
		"http://127.0.0.1":                  core.Denied,
		"http://[::ffff:7f00:1]/":           core.Denied,
		"https://user:secret@example.com/":  core.Invalid,
		"https://good.example@evil.example": core.Invalid,
		"file:///etc/passwd":                core.Invalid,
		"gopher://example.com":              core.Invalid,
		"ftp://example.com":                 core.Invalid,
		"unix:/var/run/docker.sock":         core.Invalid,
		"https:example.com":                 core.Invalid,
		"https:///path":                     core.Invalid,
		"//example.com":                     core.Invalid,
		"example.com":                       core.Invalid,
		"":                                  core.Invalid,
		"https://exa mple.com":              core.Invalid,
		"https://example.com\r\nX: y":       core.Invalid,
		"https://[::1":                      core.Invalid,
		"https://[fe80::1%25eth0]/":         core.Denied,
	} {
		if err := g.CheckURL(address); core.KindOf(err) != want {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}

// names is a DNS server whose answers the test chooses. What it answers may change from one question to the next.
type names struct {
	mu      sync.Mutex
	answers map[string][]netip.Addr
	asked   map[string]int
	rebind  map[string][]netip.Addr // from the second question on
}

func (n *names) serve(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:size]) != nil || len(m.Questions) != 1 {
				continue
			}
			n.answer(&m)
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (n *names) answer(m *dnsmessage.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	q := m.Questions[0]
	name := strings.TrimSuffix(strings.ToLower(q.Name.String()), ".")
	m.Response, m.Additionals = true, nil
	list, known := n.answers[name]
	if later, ok := n.rebind[name]; ok && n.asked[q.Type.String()+name] > 0 {
		list = later
	}
	n.asked[q.Type.String()+name]++
	if !known {
		m.RCode = dnsmessage.RCodeNameError
		return
	}
	for _, ip := range list {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: dnsmessage.ClassINET}
		switch {
		case q.Type == dnsmessage.TypeA && ip.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		case q.Type == dnsmessage.TypeAAAA && ip.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
}

func addrs(list ...string) []netip.Addr {
	out := make([]netip.Addr, len(list))
	for i, s := range list {
		out[i] = netip.MustParseAddr(s)
	}
	return out
}

// target is a server of the loopback address that counts its connections.
func target(t *testing.T, handler http.HandlerFunc) (port int, connections *atomic.Int64) {
	t.Helper()
	connections = new(atomic.Int64)
	s := httptest.NewUnstartedServer(handler)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	must(t, err)
	port, err = strconv.Atoi(u.Port())
	must(t, err)
	return port, connections
}

func get(t *testing.T, c *http.Client, address string, header http.Header) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	if header != nil {
		r.Header = header
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// A name that leads inside is refused at the dial, whatever the name server said before.
func TestAttackA15Names(t *testing.T) {
	port, connections := target(t, func(http.ResponseWriter, *http.Request) {})
	dns := &names{asked: map[string]int{}, answers: map[string][]netip.Addr{"rebound.example": addrs("127.0.0.1"), "mixed.example": addrs("127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.1")}, rebind: map[string][]netip.Addr{}}
	for i, ip := range inside {
		dns.answers["host"+strconv.Itoa(i)+".example"] = addrs(ip)
	}
	g := New(Options{Ports: []int{port}})
	g.resolver = dns.serve(t)
	c := g.Client(Limits{})
	for name := range dns.answers {
		_, _, err := get(t, c, "http://"+name+":"+strconv.Itoa(port)+"/", nil)
		if core.KindOf(err) != core.Denied || core.AsError(err).Public() != errOut {
			t.Errorf("%s: %v", name, err)
		}
	}
	// That there is no such name sounds the same.
	if _, _, err := get(t, c, "http://nothing.example:"+strconv.Itoa(port)+"/", nil); core.KindOf(err) != core.Denied || core.AsError(err).Public() != errOut {
		t.Errorf("an unknown name: %v", err)
	}
	for _, name := range []string{"localhost", "127.1", "0x7f.1", "2130706433", "0177.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "0"} {
		if _, _, err := get(t, c, "http://"+name+":"+strconv.Itoa(port)+"/", nil); err == nil {
			t.Errorf("%s was called", name)
		}
	}
	if n := connections.Load(); n > 0 {
		t.Errorf("%d connections", n)
	}

	// Rebinding: the first answer is allowed, the second is not. Each connection counts by itself.
	g = New(Options{Ports: []int{port}, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	dns.mu.Lock()
	dns.rebind["rebound.example"] = addrs("127.0.0.2")
	dns.asked = map[string]int{}
	dns.mu.Unlock()
	g.resolver = dns.serve(t)
	c = g.Client(Limits{})
	if _, _, err := get(t, c, "http://rebound.example:"+strconv.Itoa(port)+"/", nil); err != nil {
		t.Error(err)
	}
	c.CloseIdleConnections()
	if _, _, err := get(t, c, "http://rebound.example:"+strconv.Itoa(port)+"/", nil); core.KindOf(err) != core.Denied {
		t.Errorf("rebound: %v", err)
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// local allows the loopback address and the ports.
func local(ports ...int) *Guard {
	return New(Options{Ports: ports, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

func at(port int, path string) string { return "http://127.0.0.1:" + strconv.Itoa(port) + path }

func TestAttackA15Redirects(t *testing.T) {
	var seen http.Header
	other, connections := target(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		if back := r.URL.Query().Get("back"); back != "" {
			http.Redirect(w, r, back, http.StatusFound)
		}
	})
	forbidden, forbiddenConnections := target(t, func(http.ResponseWriter, *http.Request) {})
	var first int
	first, _ = target(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, at(other, "/"), http.StatusTemporaryRedirect)
		case "/back":
			http.Redirect(w, r, at(other, "/?back="+url.QueryEscape(at(first, "/end"))), http.StatusFound)
		case "/port":
			http.Redirect(w, r, at(forbidden, "/"), http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/file":
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		case "/user":
			http.Redirect(w, r, "http://a:b@127.0.0.1:"+strconv.Itoa(other)+"/", http.StatusFound)
		case "/1", "/2", "/3", "/4":
			http.Redirect(w, r, "/"+string(r.URL.Path[1]-1), http.StatusFound)
		}
	})
	c := local(first, other).Client(Limits{})
	secret := func() http.Header {
		return http.Header{"Authorization": {"Bearer canary"}, "X-Api-Key": {"canary"}, "Cookie": {"a=canary"}, "Accept": {"text/plain"}}
	}
	for path, want := range map[string]core.ErrKind{"/port": core.Denied, "/metadata": core.Denied, "/file": core.Invalid, "/user": core.Invalid, "/4": core.Denied, "/3": ""} {
		if _, _, err := get(t, c, at(first, path), secret()); core.KindOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, _, err := get(t, c, at(first, "/1"), secret()); err != nil || seen.Get("X-Api-Key") == "" {
		t.Errorf("a redirect within the host lost %v: %v", seen, err)
	}
	for _, path := range []string{"/away", "/back"} {
		if _, _, err := get(t, c, at(first, path+"?key=canary"), secret()); err != nil || seen.Get("Accept") != "text/plain" {
			t.Errorf("%s: %v %v", path, err, seen)
		}
		for name, v := range seen {
			if strings.Contains(strings.Join(v, " "), "canary") {
				t.Errorf("%s: another host saw %s", path, name)
			}
		}
	}
	before := connections.Load()
	if _, err := c.Post(at(first, "/away"), "text/plain", strings.NewReader("canary")); core.KindOf(err) != core.Denied || connections.Load() != before {
		t.Errorf("a body went to another host: %v", err)
	}
	if forbiddenConnections.Load() > 0 {
		t.Error("a port that is not allowed was called")
	}
	secure := httptest.NewTLSServer(http.RedirectHandler(at(other, "/"), http.StatusFound))
	t.Cleanup(secure.Close)
	u, err := url.Parse(secure.URL)
	must(t, err)
	port, err := strconv.Atoi(u.Port())
	must(t, err)
	c = local(port, other).Client(Limits{})
	c.Transport.(*guarded).next.TLSClientConfig.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if _, _, err := get(t, c, secure.URL, nil); core.KindOf(err) != core.Denied || !strings.Contains(core.AsError(err).Public(), "from https to http") {
		t.Errorf("from https to http: %v", err)
	}
}

func TestAttackA15Limits(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 1<<20))
	must(t, err)
	must(t, z.Close())
	hang := make(chan struct{})
	port, _ := target(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/fits":
			_, _ = w.Write(make([]byte, 1000))
		case "/long":
			_, _ = w.Write(make([]byte, 1001))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		case "/headers":
			w.Header().Set("X-Much", strings.Repeat("x", maxHeader))
		case "/slow":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-hang
		case "/silent":
			<-hang
		}
	})
	t.Cleanup(func() { close(hang) })
	g := local(port)
	c := g.Client(Limits{Body: 1000})
	if _, text, err := get(t, c, at(port, "/fits"), nil); err != nil || len(text) != 1000 {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	for _, path := range []string{"/long", "/bomb"} {
		if _, text, err := get(t, c, at(port, path), nil); core.KindOf(err) != core.Limit || len(text) != 1000 {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if _, _, err := get(t, c, at(port, "/headers"), nil); core.KindOf(err) != core.Unavailable {
		t.Errorf("large headers: %v", err)
	}
	c = g.Client(Limits{Time: 100 * time.Millisecond})
	for _, path := range []string{"/slow", "/silent"} {
		if _, _, err := get(t, c, at(port, path), nil); core.KindOf(core.E("test", err)) != core.Unavailable {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, _, err := get(t, local(1).Client(Limits{}), at(1, "/"), nil); core.KindOf(err) != core.Unavailable {
		t.Errorf("nobody listens: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at(port, "/fits"), nil)
	must(t, err)
	if _, err := c.Do(r); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A proxy of the environment would make the dialled address that of the proxy.
func TestAttackA15Proxy(t *testing.T) {
	proxy, connections := target(t, func(http.ResponseWriter, *http.Request) {})
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, at(proxy, ""))
	}
	g := New(Options{Ports: []int{proxy}})
	dns := &names{asked: map[string]int{}, answers: map[string][]netip.Addr{"a.example": addrs("10.0.0.1")}}
	g.resolver = dns.serve(t)
	if _, _, err := get(t, g.Client(Limits{}), "http://a.example/", nil); core.KindOf(err) != core.Denied || connections.Load() > 0 {
		t.Errorf("%v, %d connections", err, connections.Load())
	}
}
