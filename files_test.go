package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAttackA17Files sends uploads and downloads that no honest client sends, and some that one does.
func TestAttackA17Files(t *testing.T) {
	eachDatabase(t, func(t *testing.T, c *config) {
		c.MaxFile = 1
		s := newScenario(t, c)
		s.send(t, "admin", `mutation { create_table(name: "paper", columns: [{name: "scan", kind: "file"}]) { version } }`, nil)
		url := strings.TrimSuffix(s.url, "/graphql")

		// raw sends a request as it stands and returns the status line of the answer.
		raw := func(t *testing.T, head, body string) string {
			t.Helper()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, err = fmt.Fprintf(conn, "POST /data/file?name=a.txt HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n%s", s.keys["admin"], head, body)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.(*net.TCPConn).CloseWrite() // the server may have closed it already
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return strings.TrimSpace(line)
		}
		for _, x := range []struct{ name, head, body, want string }{
			{"too long, by its own words", "Content-Length: 99999999999", "", "413"},
			{"too long, by one", "Content-Length: 1048577", strings.Repeat("x", 1048577), "413"},
			{"no length", "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", "411"},
			{"two lengths", "Content-Length: 3\r\nTransfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n", "400"},
			{"cut off", "Content-Length: 100", "half", "400"},
			{"a form", "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 3", "abc", "415"},
			{"compressed", "Content-Encoding: gzip\r\nContent-Length: 3", "abc", "415"},
		} {
			t.Run(x.name, func(t *testing.T) {
				if got := raw(t, x.head, x.body); !strings.Contains(got, " "+x.want+" ") {
					t.Errorf("got %s, want %s", got, x.want)
				}
			})
		}
		if left, err := os.ReadDir(filepath.Join(c.Data, "files", "tmp")); err != nil || len(left) != 0 {
			t.Errorf("%v is left, %v", left, err)
		}

		id := members(t, string(s.call(t, "admin", http.MethodPost, "/data/file?name="+`R%C3%A9sum%C3%A9%20%22x%22%0d.txt`, []byte("Hello"), nil)))
		if id["errors"] == nil {
			t.Error("a name with a line break was taken")
		}
		id = members(t, string(s.call(t, "admin", http.MethodPost, "/data/file?name="+`R%C3%A9sum%C3%A9%20%22x%22.html`, []byte("<html><script>alert(1)</script>"), nil)))
		record := members(t, string(s.send(t, "admin", fmt.Sprintf(`mutation { insert_paper_one(object: {scan: %q}) { scan { url } } }`, id["id"]), nil)))
		path := record["data"].(map[string]any)["insert_paper_one"].(map[string]any)["scan"].(map[string]any)["url"].(string)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			res, body := s.request(t, "admin", method, path, nil, nil)
			if method == http.MethodHead && len(body) != 0 || res.ContentLength != 31 {
				t.Errorf("%s: %d bytes, length %d", method, len(body), res.ContentLength)
			}
			for name, want := range map[string]string{
				"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox", "Cross-Origin-Resource-Policy": "same-origin",
				"Content-Disposition": `attachment; filename="R_sum_ _x_.html"; filename*=UTF-8''R%C3%A9sum%C3%A9%20%22x%22.html`,
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", method, name, got, want)
				}
			}
		}
		// No address leads to another file than that of the column.
		for _, other := range []string{
			"../../../etc/passwd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%252e%252e%252fetc%252fpasswd", "scan/..", "scan%00", "scan?id=../../x", "scan?id=" + strings.Repeat("ab", 32), "SCAN", "id", "scan?id=*",
		} {
			base := path[:strings.LastIndex(path, "/")+1]
			if res, body := s.request(t, "admin", http.MethodGet, base+other, nil, nil); res.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s %s", other, res.Status, body)
			}
		}
		// A page of another site cannot upload with the cookie of its reader, nor can a form.
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/data/file?name=a.txt", strings.NewReader("abc"))
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "sid", Value: s.keys["admin"]})
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("a foreign page got %s", res.Status)
		}
	})
}
