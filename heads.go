package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"colonnade/core"
	"colonnade/tables"
)

// headsEvery is how often a signed head is written to the file of --heads.
const headsEvery = time.Hour

// writeHeads adds a signed head to the file when the server has begun, every hour in which something was sealed, and at the end.
func writeHeads(ctx context.Context, store *tables.Store, file string, log *slog.Logger) {
	tick := time.NewTicker(headsEvery)
	defer tick.Stop()
	last := int64(-1)
	write := func(ctx context.Context) {
		h, err := store.SignHead(core.WithCaller(ctx, core.System("heads")))
		if core.KindOf(err) == core.NotFound || err == nil && h.Seal == last {
			return
		}
		if err == nil {
			err = appendHead(file, h)
		}
		if err != nil {
			log.WarnContext(ctx, "the head of the history cannot be written", "file", file, "err", err)
			return
		}
		last = h.Seal
	}
	for {
		write(ctx)
		select {
		case <-ctx.Done():
			write(context.WithoutCancel(ctx))
			return
		case <-tick.C:
		}
	}
}

// appendHead adds a line to the file, durably.
func appendHead(file string, h *tables.SignedHead) (err error) {
	line, err := json.Marshal(h)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// readHeads reads a file of signed heads, one in a line, and returns them as heads to look for. All must be signed by the signer;
// an empty one stands for that of the first line, and is returned.
func readHeads(file, signer string) (heads []string, by string, err error) {
	const op = "main.readHeads"
	f, err := os.Open(file)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = core.E(op, core.NotFound, "there is no file "+file)
		}
		return nil, "", err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var h tables.SignedHead
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			return nil, "", core.E(op, core.Invalid, fmt.Sprintf("%s, line %d: this is no signed head", file, n), err)
		}
		if err := h.Check(); err != nil {
			return nil, "", core.E(op, core.Failed, fmt.Sprintf("%s, line %d: %s", file, n, core.AsError(err).Msg))
		}
		if signer == "" {
			signer = h.Signer
		}
		if h.Signer != signer {
			return nil, "", core.E(op, core.Failed, fmt.Sprintf("%s, line %d: it is signed by %s, and should be by %s", file, n, h.Signer, signer))
		}
		heads = append(heads, h.Head)
	}
	if err := lines.Err(); err != nil {
		return nil, "", err
	}
	if len(heads) == 0 {
		return nil, "", core.E(op, core.Invalid, file+" holds no signed head")
	}
	return heads, signer, nil
}
