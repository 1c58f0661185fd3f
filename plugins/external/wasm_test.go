package external

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"colonnade/core"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var guest = sync.OnceValues(func() ([]byte, error) { return build("./testdata/guest") })

// build compiles a program of Go to a module.
func build(folder string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "plugin.wasm")
	c := exec.Command("go", "build", "-ldflags=-s", "-o", file, folder)
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(file)
}

// misbehaving returns the guest as a plugin that is ready, with an action for each word.
func misbehaving(t *testing.T, words ...string) (*Service, *loaded) {
	t.Helper()
	code, err := guest()
	must(t, err)
	m := "name: bad\nversion: 1.0.0\nwasm: plugin.wasm\ncapabilities: {log: true, tables: {shop: [read]}, hosts: [api.example.com], secrets: {token: A token.}}\nlimits: {time: 10s, memory: 64MB, output: 4KB, calls: 100}\nactions:\n"
	for _, word := range words {
		m += "  - {name: " + word + ", doc: Does it., input: [{name: text, kind: text}], output: [{name: text, kind: text, required: true}]}\n"
	}
	read, err := ReadManifest([]byte(m))
	must(t, err)
	p := &loaded{Plugin: &Plugin{Manifest: *read, module: code}}
	s := checker(p.Plugin, CheckOptions{})
	s.cache = cache(t)
	_, err = p.module(t.Context(), s.cache)
	must(t, err)
	t.Cleanup(func() { must(t, p.ran.close(context.Background())) })
	return s, p
}

var machineCode struct {
	sync.Once
	wazero.CompilationCache
}

// cache is shared by the tests, for which a module is compiled once.
func cache(t *testing.T) wazero.CompilationCache {
	t.Helper()
	machineCode.Do(func() { machineCode.CompilationCache = wazero.NewCompilationCache() })
	return machineCode.CompilationCache
}

func (p *loaded) try(ctx context.Context, s *Service, action, text string) (string, error) {
	out, err := s.perform(ctx, p, p.action(action), core.Call{In: core.Record{"text": text}, Key: "k"})
	answer, _ := out["text"].(string)
	return answer, err
}

// What a module does wrong ends its call with a sentence, and the next call is answered.
func TestModulesThatMisbehave(t *testing.T) {
	words := map[string]string{
		"trap":     "exit code 2",
		"panic":    "exit code 2",
		"exit":     "exit code 3",
		"allocate": "more memory than the 64MB",
		"recurse":  "", // its own runtime ends it, or the sandbox
		"garbage":  "answered with what is not",
		"nothing":  "answered with what is not",
		"twice":    "more than one answer",
		"other":    "does not describe: txt: there is no such argument",
		"missing":  "text: a value is required",
		"kind":     "text: an object is no text",
		"internal": `an error of the kind "INTERNAL"`,
		"flood":    "more than 4KB",
		"chat":     "more than 100 times",
		"wild":     "a request lies outside of the memory",
	}
	names := []string{"echo"}
	for word := range words {
		names = append(names, word)
	}
	s, p := misbehaving(t, names...)
	for word, want := range words {
		begun := time.Now()
		got, err := p.try(t.Context(), s, word, "Ann")
		var f *faulty
		if core.KindOf(err) != core.Failed || !errors.As(err, &f) || !strings.Contains(core.AsError(err).Public(), want) {
			t.Errorf("%s: %q, %s: %v", word, got, core.KindOf(err), err)
		}
		if err != nil && strings.Contains(core.AsError(err).Public(), "the secret of Ann") {
			t.Errorf("%s tells everybody what the plugin said: %v", word, err)
		}
		t.Log(word, time.Since(begun).Round(time.Millisecond), core.AsError(err).Public())
		if got, err := p.try(t.Context(), s, "echo", "still here"); err != nil || got != "still here" {
			t.Fatalf("after %s: %q, %v", word, got, err)
		}
	}
}

func TestModulesThatNeverEnd(t *testing.T) {
	s, p := misbehaving(t, "spin", "sleep", "echo")
	for _, word := range []string{"spin", "sleep"} {
		p.Limits.Time = 300 * time.Millisecond
		begun := time.Now()
		_, err := p.try(t.Context(), s, word, "")
		if core.KindOf(err) != core.Unavailable || !strings.Contains(core.AsError(err).Public(), "had not answered after 300ms and was stopped") {
			t.Errorf("%s: %v", word, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("%s was stopped after %s", word, took)
		} else {
			t.Log(word, "was stopped after", took)
		}
		p.Limits.Time = time.Minute
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := p.try(ctx, s, word, ""); err == nil || ctx.Err() == nil {
			t.Errorf("%s was cancelled: %v", word, err)
		}
	}
}

// 8 GB are asked for by several at once, and the process stays small.
func TestModulesThatTakeMemory(t *testing.T) {
	s, p := misbehaving(t, "allocate", "mutter")
	runtime.GC()
	before := resident(t)
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			if _, err := p.try(t.Context(), s, "allocate", ""); core.KindOf(err) != core.Failed {
				t.Error(err)
			}
		})
	}
	all.Wait()
	grown, after := (peak(t)-before)>>20, (resident(t)-before)>>20
	t.Logf("%d calls at once took %d MB, and left %d MB", together, grown, after)
	if most := int64(together*64 + 64); grown > most {
		t.Errorf("%d MB more, and not %d", grown, most)
	}
	if after > 64 {
		t.Errorf("%d MB are left", after)
	}
	if got, err := p.try(t.Context(), s, "mutter", ""); err != nil || got != "done" {
		t.Errorf("what is said does not matter: %q, %v", got, err)
	}
}

// A module can trap, and recurse, without the help of a language.
func TestModulesThatTrap(t *testing.T) {
	for name, x := range map[string]struct {
		body []byte
		want string
	}{
		"unreachable":       {[]byte{0, 0, 0x0b}, "unreachable"},
		"without end":       {[]byte{0, 0x10, 0, 0x0b}, "stack overflow"},
		"out of the memory": {[]byte{0, 0x41, 0x7f, 0x28, 2, 0, 0x1a, 0x0b}, "out of bounds memory access"},
	} {
		code := binaryModule(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(5, 1, 0, 1), section(7, append([]byte{1, 6}, append([]byte("_start"), 0, 0)...)...),
			section(10, append([]byte{1, byte(len(x.body))}, x.body...)...))
		p := &loaded{Plugin: &Plugin{Manifest: Manifest{Name: "bad", Wasm: "plugin.wasm", Limits: usualLimits, Actions: []Action{{Name: "x"}}}, module: code}}
		s := checker(p.Plugin, CheckOptions{})
		if _, err := s.perform(t.Context(), p, p.action("x"), core.Call{}); core.KindOf(err) != core.Failed || !strings.Contains(core.AsError(err).Public(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, p.ran.close(t.Context()))
	}
}

// resident and peak are bytes of this process in memory, now and at most.
func resident(t *testing.T) int64 { return memory(t, "VmRSS:") }
func peak(t *testing.T) int64     { return memory(t, "VmHWM:") }

func memory(t *testing.T, what string) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("the memory of a process is read on Linux only")
	}
	_, after, _ := strings.Cut(string(b), what)
	n, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	must(t, err)
	return n << 10
}

func TestModulesKnowNothingOfEachOther(t *testing.T) {
	s, p := misbehaving(t, "remember", "spy")
	t.Setenv("COLONNADE_TEST_SECRET", "for nobody")
	for range 3 {
		if got, err := p.try(t.Context(), s, "remember", "something"); err != nil || got != "nothing" {
			t.Errorf("an earlier call left %q: %v", got, err)
		}
	}
	if got, err := p.try(t.Context(), s, "spy", ""); err != nil || got != "true true true [] [bad]" {
		t.Errorf("a module sees %q: %v", got, err)
	}
}

// What a plugin has not asked for is not there, and it is told so.
func TestHost(t *testing.T) {
	s, p := misbehaving(t, "host", "refuse")
	var keys []string
	s.o.Query = func(_ context.Context, query string, variables json.RawMessage, key string) json.RawMessage {
		keys = append(keys, key)
		return json.RawMessage(fmt.Sprintf(`{"data": {"asked": %q, "with": %s}}`, query, variables))
	}
	var logged strings.Builder
	s.o.Log = slog.New(slog.NewTextHandler(&logged, nil))
	for request, want := range map[string]string{
		`{"op": "graphql", "query": "{ shop { id } }", "variables": {"a": 1}}`: `{"graphql":{"data":{"asked":"{ shop { id } }","with":{"a":1}}}}`,
		`{"op": "log", "level": "warn", "message": "hello"}`:                   `{}`,
		`{"op": "log", "level": "wran", "message": "hello"}`:                   `did you mean warn?`,
		`{"op": "grahpql"}`: `did you mean graphql?`,
		`[]`:                `the request is no JSON object`,
		`{"op": "http", "method": "GET", "url": "https://evil.example.com/"}`:                                      `does not name the host \"evil.example.com\"; it names api.example.com`,
		`{"op": "http", "method": "GET", "url": "https://api.example.com@evil.example.com/"}`:                      `does not name the host \"evil.example.com\"`,
		`{"op": "http", "method": "TRACE", "url": "https://api.example.com/"}`:                                     `method is one of`,
		`{"op": "http", "method": "GET", "url": "https://api.example.com/", "headers": {"Host": "a"}}`:             `is not for a plugin to set`,
		`{"op": "http", "method": "GET", "url": "https://api.example.com/", "headers": {"X": "{{secret:tokn}}"}}`:  `asks for no secret tokn (did you mean token?)`,
		`{"op": "http", "method": "GET", "url": "http://api.example.com/", "headers": {"X": "{{secret:token}}"}}`:  `https:// only`,
		`{"op": "http", "method": "GET", "url": "https://api.example.com:22/"}`:                                    `port 22 may not be called`,
		`{"op": "http", "method": "GET", "url": "https://api.example.com/", "headers": {"X": "{{secret:token}}"}}`: `there are no secrets during a check`,
		`{"op": "http", "method": "GET", "url": "file:///etc/passwd"}`:                                             `does not name the host`,
	} {
		if got, err := p.try(t.Context(), s, "host", request); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %s, %v", request, got, err)
		}
	}
	if !strings.Contains(logged.String(), "plugin=bad call=k message=hello") {
		t.Errorf("the log has %s", logged.String())
	}
	query := `{"op": "graphql", "query": "mutation { again }"}`
	for range 2 {
		_, err := p.try(t.Context(), s, "host", query)
		must(t, err)
	}
	if n := len(keys); n != 3 || keys[1] == "" || keys[1] != keys[2] || keys[0] == keys[1] {
		t.Errorf("the keys of the same request, made again, are %q", keys)
	}
	p.Wants = Wants{}
	for _, op := range []string{"graphql", "http", "log"} {
		if got, err := p.try(t.Context(), s, "host", `{"op": "`+op+`"}`); err != nil || !strings.Contains(got, `"kind":"DENIED"`) || !strings.Contains(got, "asks for no") {
			t.Errorf("%s without being asked for: %s, %v", op, got, err)
		}
	}
	if _, err := p.try(t.Context(), s, "refuse", ""); core.KindOf(err) != core.Failed || core.AsError(err).Public() != "the plugin bad says: not on Sundays" {
		t.Errorf("an error that is meant: %v", err)
	} else if f := (*faulty)(nil); errors.As(err, &f) {
		t.Error("an error that is meant counts as a fault")
	}
}

// section writes a section of a module.
func section(id byte, body ...byte) []byte {
	return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
}

func binaryModule(sections ...[]byte) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

// Modules that nobody builds by accident.
func TestModulesThatAreRefused(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<32-1)
	start := [][]byte{section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(7, append([]byte{1, 6}, append([]byte("_start"), 0, 0)...)...), section(10, 1, 2, 0, 0x0b)}
	with := func(id byte, body ...byte) []byte {
		var all [][]byte
		for _, s := range start {
			if s[0] > id && (len(all) == 0 || all[len(all)-1][0] < id) {
				all = append(all, section(id, body...))
			}
			all = append(all, s)
		}
		return binaryModule(all...)
	}
	for name, x := range map[string]struct {
		module []byte
		want   string
	}{
		"nothing":                {nil, "no WebAssembly module"},
		"text":                   {[]byte("(module)"), "no WebAssembly module"},
		"cut off":                {binaryModule([]byte{1, 100, 0}), "no WebAssembly module"},
		"no start":               {binaryModule(), "exports no function _start"},
		"a table of 34 GB":       {with(4, append([]byte{1, 0x70, 0}, huge...)...), "more than 1,048,576 references"},
		"many tables":            {with(4, append([]byte{2, 0x70, 0}, append(binary.AppendUvarint(nil, maxElements), append([]byte{0x70, 0}, 1)...)...)...), "more than 1,048,576 references"},
		"a memory of 4 GB":       {with(5, append([]byte{1, 0}, binary.AppendUvarint(nil, 65536)...)...), "does not compile"},
		"functions of strangers": {with(2, append([]byte{1, 3}, []byte("env\x04evil\x00\x00")...)...), "imports evil from env"},
		"functions by mistake":   {with(2, append([]byte{1, 9}, []byte("colonnade\x04cal1\x00\x00")...)...), "did you mean call?"},
	} {
		p := &Plugin{Manifest: Manifest{Name: "bad", Limits: usualLimits}, module: x.module}
		m, err := p.compile(t.Context(), nil)
		if err == nil {
			must(t, m.close(t.Context()))
		}
		if core.KindOf(err) == core.Internal || err == nil || !strings.Contains(core.AsError(err).Public(), x.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A table that may grow without end has one.
func TestTablesAreBounded(t *testing.T) {
	code, err := boundTables(binaryModule(section(4, 2, 0x70, 0, 1, 0x6f, 1, 5, 9), section(0, 1, 'x')))
	must(t, err)
	want := binaryModule(section(4, append(append([]byte{2, 0x70, 1, 1}, binary.AppendUvarint(nil, maxElements/2)...), 0x6f, 1, 5, 9)...), section(0, 1, 'x'))
	if string(code) != string(want) {
		t.Errorf("%x, and not %x", code, want)
	}
}

func TestBreaker(t *testing.T) {
	var b breaker
	p := &Plugin{Manifest: Manifest{Name: "bad"}}
	now := time.Unix(0, 0)
	broken := fault(p, "broke", nil)
	for range maxFaults - 1 {
		b.note(broken, now)
	}
	b.note(nil, now)
	for range maxFaults {
		must(t, b.open(p, now))
		b.note(broken, now)
	}
	var wait core.Wait
	if err := b.open(p, now.Add(rest-1)); core.KindOf(err) != core.Unavailable || !errors.As(err, &wait) || wait != 1 {
		t.Errorf("after %d faults: %v", maxFaults, err)
	}
	now = now.Add(rest)
	must(t, b.open(p, now))
	b.note(broken, now)
	if b.open(p, now) == nil {
		t.Error("one more is not enough")
	}
	b.note(core.E("test", core.Failed, "meant"), now)
	b.note(broken, now.Add(rest))
	must(t, b.open(p, now.Add(rest)))
}
