package external

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	stdbytes "bytes"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"colonnade/core"
)

// hostModule is what a module imports the functions of the host from.
const hostModule = "colonnade"

// page is how many bytes a page of the memory of a module has.
const page = 64 << 10

// maxSaid is how much is kept of what a module writes to its standard error.
const maxSaid = 4 << 10

// module is a compiled module. Each call runs an instance of its own, with fresh memory, so that no call knows of another.
type module struct {
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
}

// compile makes the module ready to run. The cache, which may be nil, keeps the machine code.
func (p *Plugin) compile(ctx context.Context, cache wazero.CompilationCache) (_ *module, err error) {
	const op = "external.compile"
	code, err := boundTables(p.module)
	if err != nil {
		return nil, core.E(op, err)
	}
	c := wazero.NewRuntimeConfig().WithMemoryLimitPages(uint32(p.Limits.Memory / page)).WithCloseOnContextDone(true).WithDebugInfoEnabled(false)
	if cache != nil {
		c = c.WithCompilationCache(cache)
	}
	m := &module{runtime: wazero.NewRuntimeWithConfig(ctx, c)}
	defer func() {
		if err != nil {
			_ = m.runtime.Close(ctx)
		}
	}()
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return nil, core.E(op, err)
	}
	host := m.runtime.NewHostModuleBuilder(hostModule)
	host.NewFunctionBuilder().WithFunc(hostCall).Export("call")
	host.NewFunctionBuilder().WithFunc(hostReply).Export("reply")
	if _, err := host.Instantiate(ctx); err != nil {
		return nil, core.E(op, err)
	}
	if m.compiled, err = m.runtime.CompileModule(ctx, code); err != nil {
		return nil, core.E(op, core.Invalid, fmt.Sprintf("the module of the plugin %s does not compile: %s", p.Name, firstLine(err.Error())), err)
	}
	return m, core.E(op, m.check(p.Name))
}

// check refuses a module that cannot run here, and says why before it is called.
func (m *module) check(name string) error {
	const op = "external.check"
	if f, ok := m.compiled.ExportedFunctions()["_start"]; !ok || len(f.ParamTypes())+len(f.ResultTypes()) > 0 {
		return core.E(op, core.Invalid, fmt.Sprintf("the module of the plugin %s exports no function _start: build a program, such as with GOOS=wasip1 GOARCH=wasm go build", name))
	}
	if len(m.compiled.ImportedMemories()) > 0 {
		return core.E(op, core.Invalid, fmt.Sprintf("the module of the plugin %s imports a memory: have it export its own", name))
	}
	for _, f := range m.compiled.ImportedFunctions() {
		from, what, _ := f.Import()
		of := m.runtime.Module(from)
		if of == nil {
			return core.E(op, core.Invalid, fmt.Sprintf("the module of the plugin %s imports %s from %s, which is not here; there are: %s, %s", name, what, from, hostModule, wasi_snapshot_preview1.ModuleName))
		}
		if of.ExportedFunctionDefinitions()[what] == nil {
			have := []string{"call", "reply"}
			msg := fmt.Sprintf("the module of the plugin %s imports %s from %s, which has no such function", name, what, from)
			if from == hostModule {
				msg += near(what, have) + "; there are: " + strings.Join(have, ", ")
			}
			return core.E(op, core.Invalid, msg)
		}
	}
	return nil
}

func (m *module) close(ctx context.Context) error { return m.runtime.Close(ctx) }

// run has an instance of the module answer a request, which it reads from its standard input; the answer is what it writes to its standard output.
func (m *module) run(ctx context.Context, h *hosting, request []byte) ([]byte, error) {
	const op = "external.run"
	p := h.plugin
	ctx, stop := context.WithCancel(context.WithValue(ctx, hostingKey{}, h))
	defer stop()
	ctx, free := withMemory(ctx)
	defer free()
	out, said := &bounded{most: p.Limits.Output, over: stop}, &bounded{most: maxSaid}
	c := wazero.NewModuleConfig().WithName("").WithArgs(p.Name).
		WithStdin(stdbytes.NewReader(request)).WithStdout(out).WithStderr(said).
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithNanosleep(func(ns int64) { sleep(ctx, time.Duration(ns)) })
	instance, err := m.runtime.InstantiateModule(ctx, m.compiled, c)
	if instance != nil {
		_ = instance.Close(context.WithoutCancel(ctx))
	}
	switch {
	case h.fault != nil:
		return nil, core.E(op, h.fault)
	case out.full:
		return nil, fault(p, fmt.Sprintf("wrote more than %s: answer less, or raise limits.output in its manifest", bytes(p.Limits.Output)), nil)
	case err == nil:
		return out.b, nil
	}
	return nil, p.why(err, string(said.b))
}

// why says what ended an instance before it had answered.
func (p *Plugin) why(err error, said string) error {
	cause := fmt.Errorf("%w; it said: %s", err, said)
	var exit *sys.ExitError
	switch {
	case strings.Contains(said, "out of memory") || strings.Contains(said, "cannot allocate memory"):
		return fault(p, fmt.Sprintf("needs more memory than the %s that limits.memory of its manifest gives it", bytes(p.Limits.Memory)), cause)
	case errors.As(err, &exit) && (exit.ExitCode() == sys.ExitCodeDeadlineExceeded || exit.ExitCode() == sys.ExitCodeContextCanceled):
		return errStopped
	case errors.As(err, &exit):
		return fault(p, fmt.Sprintf("ended with the exit code %d and not with an answer; the log has what it said", exit.ExitCode()), cause)
	}
	return fault(p, "broke off ("+firstLine(strings.TrimPrefix(err.Error(), "module[] function[_start] failed: "))+"); the log has what it said", cause)
}

// errStopped says that an instance was ended from outside.
var errStopped = errors.New("the plugin was stopped")

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.ToValidUTF8(s[:min(len(s), 200)], "")
}

// sleep waits as a module asks for, but no longer than its call.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// bounded keeps what is written, up to a limit.
type bounded struct {
	b    []byte
	most int
	full bool
	over func() // called when there is more; nil where the rest is dropped
}

// Write implements io.Writer.
func (w *bounded) Write(b []byte) (int, error) {
	fits := b[:min(len(b), w.most-len(w.b))]
	w.b = append(w.b, fits...)
	if len(fits) == len(b) || w.over == nil {
		return len(b), nil
	}
	w.full = true
	w.over()
	return len(fits), io.ErrShortWrite
}

// hostingKey is where a context carries the hosting of a call.
type hostingKey struct{}

// hostCall takes a request of a module to its host, and returns how many bytes the reply has, which [hostReply] hands over.
func hostCall(ctx context.Context, m api.Module, at, length uint32) uint32 {
	h := ctx.Value(hostingKey{}).(*hosting)
	request, ok := m.Memory().Read(at, length)
	if !ok {
		panic(errors.New("a request lies outside of the memory"))
	}
	if h.calls++; h.calls > h.plugin.Limits.Calls {
		h.fault = fault(h.plugin, fmt.Sprintf("called its host more than %d times: call less, or raise limits.calls in its manifest", h.plugin.Limits.Calls), nil)
		panic(h.fault)
	}
	h.reply = h.answer(ctx, slices.Clone(request))
	return uint32(len(h.reply))
}

// hostReply writes the reply to the last request into the memory of the module.
func hostReply(ctx context.Context, m api.Module, at uint32) {
	h := ctx.Value(hostingKey{}).(*hosting)
	if !m.Memory().Write(at, h.reply) {
		panic(errors.New("a reply has no room in the memory"))
	}
	h.reply = nil
}
