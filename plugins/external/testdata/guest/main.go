// This program is a plugin that behaves as no plugin should, in the way that its action is called.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

var left = "nothing"

func main() {
	var r struct {
		Action string
		Input  struct{ Text string }
	}
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		panic(err)
	}
	answer := func(text string) {
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"output": map[string]any{"text": text}})
	}
	switch r.Action {
	case "echo":
		answer(r.Input.Text)
	case "spin":
		for i := 0; ; i++ {
			left = left[i%2:] + left[:i%2]
		}
	case "sleep":
		signal.Ignore()
		for {
			time.Sleep(time.Hour)
		}
	case "trap":
		var none *struct{ Far [1 << 20]byte }
		none.Far[1<<19]++
	case "panic":
		panic("the secret of " + r.Input.Text)
	case "exit":
		os.Exit(3)
	case "allocate":
		var all [][]byte
		for range 8 << 10 {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
		}
		answer(fmt.Sprint(len(all)))
	case "recurse":
		answer(fmt.Sprint(recurse(0)))
	case "garbage":
		fmt.Print("\x00\xff{]}")
	case "nothing":
	case "twice":
		answer("a")
		answer("b")
	case "other":
		fmt.Print(`{"output": {"txt": "a"}}`)
	case "missing":
		fmt.Print(`{"output": {}}`)
	case "kind":
		fmt.Print(`{"output": {"text": {"a": 1}}}`)
	case "refuse":
		fmt.Print(`{"error": {"kind": "RULE_FAILED", "message": "not on Sundays"}}`)
	case "internal":
		fmt.Print(`{"error": {"kind": "INTERNAL", "message": "x"}}`)
	case "flood":
		for {
			_, _ = os.Stdout.WriteString(strings.Repeat("x", 1<<16))
		}
	case "mutter":
		for range 1 << 10 {
			_, _ = os.Stderr.WriteString(strings.Repeat("x", 1<<16))
		}
		answer("done")
	case "remember":
		before := left
		left = r.Input.Text
		answer(before)
	case "spy":
		_, file := os.ReadFile("/etc/passwd")
		dir, list := os.ReadDir("/")
		made := os.WriteFile("/tmp/x", nil, 0o600)
		answer(fmt.Sprint(file != nil, list != nil || len(dir) == 0, made != nil, os.Environ(), os.Args))
	case "chat":
		for {
			host([]byte(`{"op": "log", "level": "info", "message": "and so on"}`))
		}
	case "host":
		answer(string(host([]byte(r.Input.Text))))
	case "wild":
		hostCall(nil, 1<<31)
	}
}

func recurse(n int) int {
	var big [256]int
	big[n%256] = n
	return recurse(n+1) + big[(n+1)%256]
}
