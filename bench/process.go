package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a program that we started.
type server struct {
	name string
	addr string
	key  string // of the API; empty when it asks for none
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the program has ended
	err  error         // how, once it has
}

// start runs a program and waits for its address. Its files go to dir.
func start(ctx context.Context, dir, name, program string, args ...string) (*server, error) {
	s := &server{name: name, done: make(chan struct{}), log: filepath.Join(dir, name+".log")}
	addrFile := filepath.Join(dir, name+".addr")
	if err := os.RemoveAll(addrFile); err != nil {
		return nil, err
	}
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the program has its own copy
	s.cmd = exec.Command(program, append(args, "--addr", "127.0.0.1:0", "--addr-file", addrFile)...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt at the terminal is for us to pass on
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.err = s.cmd.Wait(); close(s.done) }()
	if s.addr, err = s.awaitFile(ctx, addrFile); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.addr = strings.TrimSuffix(strings.TrimPrefix(s.addr, "http://"), "/")
	return s, nil
}

// awaitFile returns the text of a file that the program is about to write.
func (s *server) awaitFile(ctx context.Context, path string) (string, error) {
	for late := time.After(60 * time.Second); ; {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			return strings.TrimSpace(string(text)), nil
		}
		select {
		case <-s.done:
			return "", fmt.Errorf("%s did not start: %w\n%s", s.name, s.err, s.tail())
		case <-late:
			return "", fmt.Errorf("%s did not start within a minute\n%s", s.name, s.tail())
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// tail returns the end of the log.
func (s *server) tail() string {
	text, _ := os.ReadFile(s.log)
	return string(text[max(0, len(text)-2000):])
}

// stop ends the program and waits for it.
func (s *server) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-s.done:
		return s.err
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.done
		return fmt.Errorf("%s did not stop within 20 s", s.name)
	}
}

// tick is the unit of the times in /proc/PID/stat: USER_HZ, which is 100 on every Linux.
const tick = 10 * time.Millisecond

// stat returns fields of /proc/PID/stat: what the process used, and what its children used that are gone.
func stat(pid int) (parent int, own, gone time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, 0, false
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // behind the name
	n := func(i int) time.Duration { v, _ := strconv.Atoi(f[i]); return time.Duration(v) * tick }
	parent, _ = strconv.Atoi(f[1])
	return parent, n(11) + n(12), n(13) + n(14), true
}

// cpu returns the CPU time that the process and its descendants have used.
func cpu(root int) time.Duration {
	if root == 0 {
		return 0
	}
	_, own, gone, _ := stat(root)
	total := own + gone
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == root {
			continue
		}
		if parent, own, _, ok := stat(pid); ok && parent == root { // neither PostgreSQL nor a server has grandchildren
			total += own
		}
	}
	return total
}

// busy returns the CPU time that the whole machine has used.
func busy() time.Duration {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	var total time.Duration
	for i, f := range strings.Fields(line) {
		if i == 0 || i == 4 || i == 5 || i > 8 { // the name, idle, waiting for a disk, guests counted twice
			continue
		}
		v, _ := strconv.Atoi(f)
		total += time.Duration(v) * tick
	}
	return total
}

// memory returns a line of /proc/PID/status in kB: VmRSS is what the server has in memory, RssAnon what of it is no file.
func (s *server) memory(line string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for l := range strings.Lines(string(text)) {
		if fields := strings.Fields(l); len(fields) > 1 && fields[0] == line {
			return strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return 0, errors.New("the system does not say how much memory the server has")
}
