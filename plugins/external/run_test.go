package external

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func run(t *testing.T, dir string, env []string, name string, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = dir, append(append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod"), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	return string(b)
}

// serve runs the service in dir on a free port until the test ends, and returns its address.
func serve(t *testing.T, dir string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	must(t, l.Close())
	main := filepath.Join(dir, "main.go")
	must(t, os.WriteFile(main, []byte(strings.Replace(read(t, main), "127.0.0.1:8090", addr, 1)), 0o600))
	run(t, dir, nil, "go", "build", "-o", "service", ".")
	c := exec.CommandContext(t.Context(), filepath.Join(dir, "service"))
	c.Env = append(os.Environ(), "PLUGIN_KEY_FILE="+filepath.Join(dir, "key"))
	must(t, c.Start())
	t.Cleanup(func() { _, _ = c.Process.Kill(), c.Wait() })
	for end := time.Now().Add(20 * time.Second); ; {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			must(t, conn.Close())
			return addr
		}
		if time.Now().After(end) {
			t.Fatal("the service does not listen: ", err)
		}
	}
}
