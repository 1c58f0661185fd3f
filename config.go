package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/db/postgres"
	"colonnade/core/db/sqlite"
	"colonnade/core/egress"
	"colonnade/files"
	"colonnade/tables"
	"colonnade/web"
)

// config is everything that an operator sets. A flag comes before its environment variable.
type config struct {
	Data        string        // COLONNADE_DATA: the folder of the embedded database
	Database    string        // COLONNADE_DATABASE: a PostgreSQL URL; the embedded database when empty
	Addr        string        // COLONNADE_ADDR
	Hosts       string        // COLONNADE_HOSTS: names that the server is reached by, separated by commas
	Proxies     string        // COLONNADE_PROXIES: networks of trusted proxies, separated by commas
	Origins     string        // COLONNADE_ORIGINS: origins of pages elsewhere that may call the API, separated by commas
	Private     string        // COLONNADE_EGRESS_PRIVATE: networks inside that may be called on behalf of users, separated by commas
	Ports       string        // COLONNADE_EGRESS_PORTS: ports that may be called besides 80, 443 and 8443, separated by commas
	Rate        int64         // COLONNADE_RATE_USER: requests a minute of each user; 0 for any number
	Anonymous   int64         // COLONNADE_RATE_ANONYMOUS: requests a minute of each address without a user; 0 for any number
	Concurrency int64         // COLONNADE_CONCURRENCY: requests of one user, or address, that run at once; 0 for any number
	Subscribe   int64         // COLONNADE_SUBSCRIPTIONS: what one user, or address, is subscribed to at once, and connections of his; 0 for any number
	Public      bool          // COLONNADE_PUBLIC=1: may listen beyond the loopback address
	Keep        time.Duration // COLONNADE_KEEP_DROPPED: how long what was dropped can be brought back
	Events      time.Duration // COLONNADE_KEEP_EVENTS: how long events are kept; 0 for good
	Accesses    time.Duration // COLONNADE_KEEP_ACCESSES: how long entries of the access log are kept; 0 for good
	Runs        time.Duration // COLONNADE_KEEP_RUNS: how long runs of flows that have ended are kept; 0 for good
	Heads       string        // COLONNADE_HEADS: a file that signed heads of the history are added to; none when empty
	Files       string        // COLONNADE_FILES: the folder of the contents of files; the folder files in that of the database when empty
	MaxFile     int64         // COLONNADE_MAX_FILE: of one upload, in megabytes; 100 when 0
	MaxBody     int64         // COLONNADE_MAX_BODY: of one request, in megabytes
	KeepUploads time.Duration // COLONNADE_KEEP_UPLOADS: how long a file waits for a record that names it; a day when 0
	SecretsKey  string        // COLONNADE_SECRETS_KEY_FILE: the file of the keys that secrets are sealed with; or the keys in COLONNADE_SECRETS_KEYS
	Providers   string        // COLONNADE_PROVIDERS_FILE: the file of identity providers; or the document in COLONNADE_PROVIDERS
	Plugins     string        // COLONNADE_PLUGINS: the folder of plugins of other people, each in a folder of its own; none when empty
	SMTP        string        // COLONNADE_SMTP: the address of the mail server; none when empty
	MailFrom    string        // COLONNADE_MAIL_FROM: whom mails are from
	Slow        time.Duration // COLONNADE_SLOW_QUERY: from when on a query is slow; 0 to keep none
	Metrics     string        // COLONNADE_METRICS: an address that metrics are read from; none when empty
	LogLevel    string        // COLONNADE_LOG: debug, info, warn, error
	Dev         bool
	AddrFile    string
	KeyFile     string

	SecondFactor bool // COLONNADE_SECOND_FACTOR=1: everybody who signs in must have one
}

// slowQuery is from when on a query is slow.
const slowQuery = 500 * time.Millisecond

// flags declares the options of a server on c.
func (c *config) flags(name string, out io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("colonnade "+name, flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&c.Data, "data", env("COLONNADE_DATA", "data"), "folder of the embedded database (COLONNADE_DATA)")
	f.StringVar(&c.Database, "database", env("COLONNADE_DATABASE", ""), "postgres://... instead of the embedded database (COLONNADE_DATABASE)")
	f.StringVar(&c.Files, "files", env("COLONNADE_FILES", ""), "folder of uploaded files; the folder files in that of the database when left out (COLONNADE_FILES)")
	f.StringVar(&c.Addr, "addr", env("COLONNADE_ADDR", "127.0.0.1:8080"), "address to listen on; port 0 takes a free one (COLONNADE_ADDR)")
	f.StringVar(&c.Hosts, "hosts", env("COLONNADE_HOSTS", ""), "names that the server is reached by, separated by commas (COLONNADE_HOSTS)")
	f.StringVar(&c.Proxies, "proxies", env("COLONNADE_PROXIES", ""), "networks of proxies to trust, such as 10.0.0.0/8, separated by commas (COLONNADE_PROXIES)")
	f.StringVar(&c.Origins, "origins", env("COLONNADE_ORIGINS", ""), "origins of pages elsewhere that may call the API with a token, such as https://app.example.com, separated by commas (COLONNADE_ORIGINS)")
	f.StringVar(&c.Private, "egress-private", env("COLONNADE_EGRESS_PRIVATE", ""), "networks beyond the public Internet that may be called on behalf of users, such as 10.1.0.0/16, separated by commas (COLONNADE_EGRESS_PRIVATE)")
	f.StringVar(&c.Ports, "egress-ports", env("COLONNADE_EGRESS_PORTS", ""), "ports that may be called besides 80, 443 and 8443, separated by commas (COLONNADE_EGRESS_PORTS)")
	f.Int64Var(&c.Rate, "rate-user", number("COLONNADE_RATE_USER", 600), "requests a minute of each user; 0 for any number, as with --dev (COLONNADE_RATE_USER)")
	f.Int64Var(&c.Anonymous, "rate-anonymous", number("COLONNADE_RATE_ANONYMOUS", 60), "requests a minute of each address from which nobody has signed in; 0 for any number, as with --dev (COLONNADE_RATE_ANONYMOUS)")
	f.Int64Var(&c.Concurrency, "concurrency", number("COLONNADE_CONCURRENCY", 16), "requests that run at once of each user, or address; 0 for any number, as with --dev (COLONNADE_CONCURRENCY)")
	f.Int64Var(&c.Subscribe, "subscriptions", number("COLONNADE_SUBSCRIPTIONS", 200), "subscriptions, and connections for them, of each user, or address; 0 for any number, as with --dev (COLONNADE_SUBSCRIPTIONS)")
	f.BoolVar(&c.Public, "public", env("COLONNADE_PUBLIC", "") == "1", "may listen beyond the loopback address (COLONNADE_PUBLIC=1)")
	f.DurationVar(&c.Keep, "keep-dropped", duration("COLONNADE_KEEP_DROPPED", tables.KeepDropped), "how long dropped tables and columns can be brought back (COLONNADE_KEEP_DROPPED)")
	f.DurationVar(&c.Runs, "keep-runs", duration("COLONNADE_KEEP_RUNS", 0), "how long runs of flows that have ended are kept, with their steps; 0 for good (COLONNADE_KEEP_RUNS)")
	f.DurationVar(&c.Accesses, "keep-accesses", duration("COLONNADE_KEEP_ACCESSES", 0), "how long entries of the access log are kept; 0 for good (COLONNADE_KEEP_ACCESSES)")
	f.StringVar(&c.Heads, "heads", env("COLONNADE_HEADS", ""), "file that a signed head of the history is added to, every hour; it needs a key for secrets (COLONNADE_HEADS)")
	f.DurationVar(&c.Events, "keep-events", duration("COLONNADE_KEEP_EVENTS", tables.KeepEvents), "how long events are kept, and so cursors of changes are good; 0 for good (COLONNADE_KEEP_EVENTS)")
	f.Int64Var(&c.MaxFile, "max-file", number("COLONNADE_MAX_FILE", files.MaxSize>>20), "largest upload, in megabytes (COLONNADE_MAX_FILE)")
	f.Int64Var(&c.MaxBody, "max-body", number("COLONNADE_MAX_BODY", 1), "largest body of a request that is no upload, import or export, in megabytes (COLONNADE_MAX_BODY)")
	f.DurationVar(&c.KeepUploads, "keep-uploads", duration("COLONNADE_KEEP_UPLOADS", files.KeepUploads), "how long a file waits for a record that names it (COLONNADE_KEEP_UPLOADS)")
	f.StringVar(&c.SecretsKey, "secrets-key", env("COLONNADE_SECRETS_KEY_FILE", ""), secretsKeyUsage)
	f.StringVar(&c.Providers, "providers", env("COLONNADE_PROVIDERS_FILE", ""), "file of identity providers to set up (COLONNADE_PROVIDERS_FILE); or what it would hold, in COLONNADE_PROVIDERS")
	f.StringVar(&c.Plugins, "plugins", env("COLONNADE_PLUGINS", ""), "folder of plugins of other people, each in a folder of its own with a plugin.yaml; what lies there is run when somebody enables it (COLONNADE_PLUGINS)")
	f.StringVar(&c.SMTP, "smtp", "", "mail server of send_mail, such as smtp://user:password@mail.example.com:587 or smtps://mail.example.com; better given in COLONNADE_SMTP, which other users of the machine do not see")
	f.StringVar(&c.MailFrom, "mail-from", env("COLONNADE_MAIL_FROM", ""), "whom mails are from, such as 'Shop <shop@example.com>' (COLONNADE_MAIL_FROM)")
	f.BoolVar(&c.SecondFactor, "second-factor", env("COLONNADE_SECOND_FACTOR", "") == "1", "everybody who signs in must have a second factor (COLONNADE_SECOND_FACTOR=1)")
	f.DurationVar(&c.Slow, "slow-query", duration("COLONNADE_SLOW_QUERY", slowQuery), "queries that take so long are kept for slow_queries; 0 to keep none (COLONNADE_SLOW_QUERY)")
	f.StringVar(&c.Metrics, "metrics", env("COLONNADE_METRICS", ""), "address, such as 127.0.0.1:9464, at which Prometheus reads /metrics; none when left out (COLONNADE_METRICS)")
	f.StringVar(&c.LogLevel, "log", env("COLONNADE_LOG", "warn"), "debug, info, warn or error (COLONNADE_LOG)")
	f.BoolVar(&c.Dev, "dev", false, "for development: make an administrator and an API key when there is no user, show internal errors")
	f.StringVar(&c.AddrFile, "addr-file", "", "write the address to this file once the server listens")
	f.StringVar(&c.KeyFile, "key-file", "", "write the API key that was made to this file")
	return f
}

func env(name, otherwise string) string {
	if v, ok := os.LookupEnv(name); ok {
		return v
	}
	return otherwise
}

// duration reads a duration from the environment; one that cannot be read is refused when the options are checked.
func duration(name string, otherwise time.Duration) time.Duration {
	v, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return -1
	}
	return d
}

// number reads a number from the environment; one that cannot be read is refused when the options are checked.
func number(name string, otherwise int64) int64 {
	v, ok := os.LookupEnv(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// parseFlags reads the options of a command. One that is wrong is told by itself; all of them are printed to out when they are asked for.
func parseFlags(f *flag.FlagSet, out io.Writer, args []string) error {
	usage := f.Usage
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	err := f.Parse(args)
	f.SetOutput(out)
	f.Usage = usage
	if errors.Is(err, flag.ErrHelp) {
		f.Usage()
	}
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	msg := err.Error()
	if name, unknown := strings.CutPrefix(msg, "flag provided but not defined: "); unknown {
		var have []string
		f.VisitAll(func(o *flag.Flag) { have = append(have, o.Name) })
		msg = "there is no option " + name
		if near := core.Suggest(strings.TrimLeft(name, "-"), have); near != "" {
			msg += "; did you mean -" + near + "?"
		}
	}
	return core.E("main.parseFlags", core.Invalid, msg+"\n"+f.Name()+" --help lists the options")
}

// parse reads the options and checks them together.
func (c *config) parse(f *flag.FlagSet, args []string) error {
	const op = "main.parse"
	if err := parseFlags(f, f.Output(), args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return core.E(op, core.Invalid, fmt.Sprintf("%q is no option: see --help", f.Arg(0)))
	}
	if c.Database != "" && !strings.HasPrefix(c.Database, "postgres://") && !strings.HasPrefix(c.Database, "postgresql://") {
		return core.E(op, core.Invalid, "--database takes a URL such as postgres://user:password@localhost:5432/name")
	}
	if c.Keep <= 0 {
		return core.E(op, core.Invalid, "--keep-dropped and COLONNADE_KEEP_DROPPED take a time such as 720h")
	}
	if c.MaxFile <= 0 || c.MaxFile > maxFile {
		return core.E(op, core.Invalid, fmt.Sprintf("--max-file and COLONNADE_MAX_FILE take a number of megabytes from 1 to %d", maxFile))
	}
	if c.MaxBody <= 0 || c.MaxBody > maxBody {
		return core.E(op, core.Invalid, fmt.Sprintf("--max-body and COLONNADE_MAX_BODY take a number of megabytes from 1 to %d", maxBody))
	}
	if c.KeepUploads <= 0 {
		return core.E(op, core.Invalid, "--keep-uploads and COLONNADE_KEEP_UPLOADS take a time such as 24h")
	}
	if c.Events != 0 && c.Events < time.Hour {
		return core.E(op, core.Invalid, "--keep-events and COLONNADE_KEEP_EVENTS take a time of at least an hour, such as 720h, or 0 to keep all")
	}
	if c.Accesses != 0 && c.Accesses < time.Hour {
		return core.E(op, core.Invalid, "--keep-accesses and COLONNADE_KEEP_ACCESSES take a time of at least an hour, such as 8760h, or 0 to keep all")
	}
	if c.Runs != 0 && c.Runs < 24*time.Hour {
		return core.E(op, core.Invalid, "--keep-runs and COLONNADE_KEEP_RUNS take a time of at least a day, such as 720h, or 0 to keep all")
	}
	if c.Slow < 0 {
		return core.E(op, core.Invalid, "--slow-query and COLONNADE_SLOW_QUERY take a time such as 500ms, or 0 to keep none")
	}
	if c.Dev && c.Public {
		return core.E(op, core.Invalid, "--dev is for this machine only: leave out --public")
	}
	if _, err := c.level(); err != nil {
		return err
	}
	if err := c.rates(f); err != nil {
		return err
	}
	for _, origin := range split(c.Origins) {
		if err := web.CheckOrigin(origin); err != nil {
			return core.E(op, err, "--origins: "+core.AsError(err).Msg)
		}
	}
	if _, err := c.egress(); err != nil {
		return err
	}
	_, err := c.proxies()
	return err
}

// rates checks the limits of how much may be asked for. Under development there are none but those that were asked for.
func (c *config) rates(f *flag.FlagSet) error {
	given := map[string]bool{}
	f.Visit(func(o *flag.Flag) { given[o.Name] = true })
	for _, r := range []struct {
		flag, env string
		value     *int64
	}{
		{"rate-user", "COLONNADE_RATE_USER", &c.Rate}, {"rate-anonymous", "COLONNADE_RATE_ANONYMOUS", &c.Anonymous}, {"concurrency", "COLONNADE_CONCURRENCY", &c.Concurrency},
		{"subscriptions", "COLONNADE_SUBSCRIPTIONS", &c.Subscribe},
	} {
		if *r.value < 0 || *r.value > maxRate {
			return core.E("main.rates", core.Invalid, fmt.Sprintf("--%s and %s take a number from 0 to %d; 0 is no limit", r.flag, r.env, maxRate))
		}
		if _, set := os.LookupEnv(r.env); c.Dev && !set && !given[r.flag] {
			*r.value = 0
		}
	}
	return nil
}

// maxRate is the highest limit of requests that can be set.
const maxRate = 1_000_000

func (c *config) level() (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return l, core.E("main.level", core.Invalid, fmt.Sprintf("--log takes debug, info, warn or error, not %q", c.LogLevel))
	}
	return l, nil
}

func (c *config) proxies() ([]netip.Prefix, error) { return networks("--proxies", c.Proxies) }

// egress returns the guard of calls to other servers.
func (c *config) egress() (*egress.Guard, error) {
	var o egress.Options
	var err error
	if o.Private, err = networks("--egress-private", c.Private); err != nil {
		return nil, err
	}
	for _, s := range split(c.Ports) {
		port, err := strconv.ParseUint(s, 10, 16)
		if err != nil || port == 0 {
			return nil, core.E("main.egress", core.Invalid, fmt.Sprintf("--egress-ports takes numbers from 1 to 65535, not %q", s))
		}
		o.Ports = append(o.Ports, int(port))
	}
	return egress.New(o), nil
}

func networks(option, list string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range split(list) {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, core.E("main.networks", core.Invalid, fmt.Sprintf("%s takes networks such as 10.0.0.0/8, not %q", option, s))
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

func split(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// maxFile is the largest upload that can be allowed, in megabytes.
const maxFile = 1 << 20

// maxBody is the largest body that can be allowed, in megabytes: each is held in memory, several times while it is decoded.
const maxBody = 256

// filesFolder is where the contents of files are.
func (c *config) filesFolder() string {
	if c.Files != "" {
		return c.Files
	}
	return filepath.Join(c.Data, "files")
}

// database returns the dialect and the source of the database.
func (c *config) database() (db.Dialect, string) {
	if c.Database != "" {
		return postgres.Dialect{}, c.Database
	}
	return sqlite.Dialect{}, filepath.Join(c.Data, "colonnade.db")
}
