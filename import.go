package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/transfer"
	"colonnade/transfer/format"
)

// importing is the command that sends files to a server.
type importing struct {
	remote
	out       io.Writer
	table     string
	columns   assignments
	constant  assignments
	otherwise assignments
	settings  map[string]*string
	match     bool
	plan      bool
	suggest   bool
	refused   string
}

// assignments are options of the form name=value, which may be given several times.
type assignments map[string]string

// String implements flag.Value.
func (a assignments) String() string { return "" }

// Set implements flag.Value.
func (a assignments) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errors.New("write name=value")
	}
	a[name] = value
	return nil
}

func runImport(ctx context.Context, args []string, out io.Writer) error {
	im := &importing{out: out, columns: assignments{}, constant: assignments{}, otherwise: assignments{}, settings: map[string]*string{}}
	f := flag.NewFlagSet("colonnade import", flag.ContinueOnError)
	im.flags(f)
	f.StringVar(&im.table, "table", "", "the table; needed")
	f.Var(im.columns, "column", `"Header=column", "Header=lookup.key", or "Header=" to leave a column out; may be repeated`)
	f.Var(im.constant, "set", "column=value for every row; may be repeated")
	f.Var(im.otherwise, "default", "column=value for rows whose cell is empty; may be repeated")
	f.BoolVar(&im.match, "match", false, "columns of the file that are not named go where a suggestion is sure, and else nowhere")
	f.BoolVar(&im.plan, "plan", false, "tell what would happen, and write nothing")
	f.BoolVar(&im.suggest, "suggest", false, "tell where the columns of the file could go, and do nothing")
	f.StringVar(&im.refused, "refused", "", "write the rows that are refused to this file, with the reasons")
	for name, doc := range map[string]string{
		"mode": "create, update or upsert", "key-column": "the unique column or key by which records are found", "on-error": "stop: all or nothing (the default, up to 64 MB); skip: leave out rows that fail",
		"on-duplicate": "warn (the default): count the rows that are like other records; refuse, or allow them",
		"max-errors":   "with skip: stop after more refused rows", "batch": "go on with an import that was cut off", "format": "csv, ndjson, parquet or xlsx; by the content when left out",
		"charset": "such as windows-1252; by the content when left out", "delimiter": "of CSV; by the content when left out", "quote": "of CSV; by the content when left out",
		"header": "yes or no; by the content when left out", "sheet": "of XLSX; the first when left out", "quoted-empty": "text: a quoted empty cell of CSV is an empty text, not NULL",
	} {
		im.settings[name] = f.String(name, "", doc)
	}
	if err := parseFlags(f, out, args); err != nil {
		return err
	}
	if im.table == "" || f.NArg() == 0 {
		return core.E("main.import", core.Invalid, "write: colonnade import --table TABLE FILE..., with - for standard input")
	}
	if *im.settings["batch"] != "" && f.NArg() > 1 {
		return core.E("main.import", core.Invalid, "a batch is of one file: give that one alone")
	}
	if err := im.check(); err != nil {
		return err
	}
	for _, name := range f.Args() {
		if err := im.file(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// query returns the settings for a file.
func (im *importing) query(name string) (url.Values, error) {
	q := url.Values{}
	for option, v := range im.settings {
		if *v != "" {
			q.Set(strings.ReplaceAll(strings.Replace(option, "key-column", "key", 1), "-", "_"), *v)
		}
	}
	for setting, given := range map[string]assignments{"columns": im.columns, "constants": im.constant, "defaults": im.otherwise} {
		if len(given) == 0 {
			continue
		}
		raw, err := json.Marshal(given)
		if err != nil {
			return nil, core.E("main.import", err)
		}
		q.Set(setting, string(raw))
	}
	if im.match {
		q.Set("match", "1")
	}
	if im.plan {
		q.Set("plan", "1")
	}
	q.Set("name", filepath.Base(name))
	return q, nil
}

// file imports one file.
func (im *importing) file(ctx context.Context, name string) error {
	q, err := im.query(name)
	if err != nil {
		return err
	}
	body, size, err := openFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	send, err := im.convert(name, body, size, q)
	if err != nil {
		return err
	}
	if im.suggest {
		return im.suggestions(ctx, send, q)
	}
	if q.Get("batch") == "" && !im.plan {
		q.Set("batch", string(core.NewID())) // known before the first row is sent
	}
	bar := &bar{out: im.out, name: filepath.Base(name), size: size, terminal: isTerminal(im.out), begun: time.Now()}
	res, err := im.do(ctx, http.MethodPost, "/data/import/"+url.PathEscape(im.table), q, io.TeeReader(send, bar))
	bar.end()
	if err != nil {
		return core.E("main.import", fmt.Sprintf("%s; go on with: colonnade import --batch %s, the same options and the same file", core.AsError(err).Msg, q.Get("batch")), err)
	}
	defer func() { _ = res.Body.Close() }()
	return im.report(ctx, filepath.Base(name), res)
}

// convert has what the server would have to hold in memory read here: Parquet and XLSX become lines of JSON.
func (im *importing) convert(name string, body io.Reader, size int64, q url.Values) (io.Reader, error) {
	kind := q.Get("format")
	if kind == "" {
		kind = format.ByName(name)
	}
	if kind != format.Parquet && kind != format.XLSX {
		return body, nil
	}
	at, ok := body.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(body)
		if err != nil {
			return nil, core.E("main.convert", core.Invalid, "the file cannot be read: "+err.Error(), err)
		}
		at, size = bytes.NewReader(data), int64(len(data))
	}
	r, err := format.OpenAt(at, size, format.Options{Format: kind, Header: q.Get("header"), Sheet: q.Get("sheet")})
	if err != nil {
		return nil, err
	}
	q.Set("format", format.NDJSON)
	q.Del("header")
	q.Del("sheet")
	if kind == format.XLSX {
		q.Set("serial_dates", "1")
	}
	from, to := io.Pipe()
	go func() { _ = to.CloseWithError(format.Copy(to, r)) }()
	return from, nil
}

// report tells what became of a file.
func (im *importing) report(ctx context.Context, name string, res *http.Response) error {
	const op = "main.import"
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return core.E(op, core.Unavailable, "the answer of the server did not arrive whole: "+err.Error(), err)
	}
	var r transfer.Report
	if json.Unmarshal(raw, &r) != nil || r.Status == "" {
		res.Body = io.NopCloser(bytes.NewReader(raw))
		return refused(res)
	}
	verb := "imported"
	if im.plan {
		verb = "would be imported"
	}
	say(im.out, "%s: %d rows read, %s: %d created, %d changed, %d unchanged, %d refused\n", name, r.Rows, verb, r.Created, r.Changed, r.Unchanged, r.Refused)
	if r.Duplicates > 0 {
		say(im.out, "  %d like other records\n", r.Duplicates)
	}
	for _, why := range r.Reasons {
		say(im.out, "  %d rows: %s", why.Rows, strings.TrimSpace(string(why.Kind)+" "+why.Column))
		for _, e := range why.Examples {
			say(im.out, "\n    line %d: %s", e.Line, e.Message)
		}
		say(im.out, "\n")
	}
	if r.Batch != "" {
		say(im.out, "  batch %s\n", r.Batch)
	}
	if err := im.keepRefused(ctx, &r); err != nil {
		return err
	}
	if r.Error != "" {
		return core.E(op, core.Invalid, fmt.Sprintf("%s; go on with: colonnade import --batch %s, the same options and the same file; or take it back with undo_import", r.Error, r.Batch))
	}
	return nil
}

// keepRefused writes the refused rows to the file that was asked for.
func (im *importing) keepRefused(ctx context.Context, r *transfer.Report) (err error) {
	if im.refused == "" || r.Batch == "" || r.Refused == 0 {
		return nil
	}
	return im.download(ctx, "/data/imports/"+string(r.Batch)+"/failures", nil, im.refused, im.out)
}

// download writes what the server sends to a file, or to out for "-". A file that does not arrive whole is removed.
func (r *remote) download(ctx context.Context, path string, q url.Values, name string, out io.Writer) (err error) {
	const op = "main.download"
	res, err := r.do(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return refused(res)
	}
	if name == "-" {
		if _, err := io.Copy(out, res.Body); err != nil {
			return core.E(op, core.Unavailable, "the file did not arrive whole: "+err.Error(), err)
		}
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return core.E(op, core.Invalid, "the file cannot be made: "+err.Error(), err)
	}
	_, err = io.Copy(f, res.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
		return core.E(op, core.Unavailable, "the file did not arrive whole: "+err.Error(), err)
	}
	return nil
}

func (im *importing) suggestions(ctx context.Context, body io.Reader, q url.Values) error {
	for name := range q {
		switch name {
		case "format", "charset", "delimiter", "quote", "header", "sheet", "quoted_empty", "serial_dates":
		default:
			q.Del(name)
		}
	}
	sample, err := io.ReadAll(io.LimitReader(body, 1<<20))
	if err != nil {
		return core.E("main.suggest", core.Invalid, "the file cannot be read: "+err.Error(), err)
	}
	res, err := im.do(ctx, http.MethodPost, "/data/suggest/"+url.PathEscape(im.table), q, bytes.NewReader(sample))
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return refused(res)
	}
	var answer struct{ Columns []transfer.Suggestion }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return core.E("main.suggest", core.Unavailable, "the answer of the server did not arrive whole: "+err.Error(), err)
	}
	for _, s := range answer.Columns {
		say(im.out, "--column %s\t# %s: %s\n", strconv.Quote(s.Header+"="+s.Column), s.Kind, strings.Join(s.Samples, ", "))
	}
	return nil
}

// bar shows a person how much of a file has been sent.
type bar struct {
	out      io.Writer
	name     string
	size     int64 // 0 when it is not known
	sent     int64
	terminal bool
	begun    time.Time
	shown    time.Time
}

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

// Write implements io.Writer: it counts what is sent.
func (b *bar) Write(p []byte) (int, error) {
	b.sent += int64(len(p))
	if now := time.Now(); b.terminal && now.Sub(b.shown) > barEvery {
		b.shown = now
		b.show()
	}
	return len(p), nil
}

func (b *bar) show() {
	rate := float64(b.sent) / (1 << 20) / max(time.Since(b.begun).Seconds(), 0.001)
	if b.size == 0 {
		say(b.out, "\r%s  %d MB, %.1f MB/s ", b.name, b.sent>>20, rate)
		return
	}
	done := int(min(b.sent, b.size) * barWidth / b.size)
	say(b.out, "\r%s  [%s%s] %3d %%, %.1f MB/s ", b.name, strings.Repeat("#", done), strings.Repeat(".", barWidth-done), min(b.sent, b.size)*100/b.size, rate)
}

func (b *bar) end() {
	if b.terminal && b.sent > 0 {
		b.show()
		say(b.out, "\n")
	}
}
