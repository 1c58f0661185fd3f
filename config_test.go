package main

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"colonnade/core"
)

func TestOptionsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--egress-private 10.0.0.1", `--egress-private takes networks such as 10.0.0.0/8, not "10.0.0.1"`},
		{"--egress-private 10.0.0.0/8,all", `--egress-private takes networks such as 10.0.0.0/8, not "all"`},
		{"--egress-ports 0", `--egress-ports takes numbers from 1 to 65535, not "0"`},
		{"--egress-ports 9000,65536", `--egress-ports takes numbers from 1 to 65535, not "65536"`},
		{"--egress-ports https", `--egress-ports takes numbers from 1 to 65535, not "https"`},
		{"--proxies 10.0.0.1", `--proxies takes networks such as 10.0.0.0/8, not "10.0.0.1"`},
		{"--origins *", `--origins: an origin is written like https://app.example.com, not "*"`},
		{"--origins https://*.example.com/", `--origins: an origin is written like https://app.example.com, not "https://*.example.com/"`},
		{"--origins https://a.example,null", `--origins: an origin is written like https://app.example.com, not "null"`},
		{"--rate-user -1", "--rate-user and COLONNADE_RATE_USER take a number from 0 to 1000000; 0 is no limit"},
		{"--rate-anonymous 1000001", "--rate-anonymous and COLONNADE_RATE_ANONYMOUS take a number from 0 to 1000000; 0 is no limit"},
		{"--max-body 0", "--max-body and COLONNADE_MAX_BODY take a number of megabytes from 1 to 256"},
		{"--max-body 257", "--max-body and COLONNADE_MAX_BODY take a number of megabytes from 1 to 256"},
		{"--concurrency -5", "--concurrency and COLONNADE_CONCURRENCY take a number from 0 to 1000000; 0 is no limit"},
	} {
		if err := new(config).read(c.args); core.KindOf(err) != core.Invalid || core.AsError(err).Public() != c.want {
			t.Errorf("%s: %v", c.args, err)
		}
	}
}

func (c *config) read(args string) error {
	return c.parse(c.flags("serve", io.Discard), strings.Fields(args))
}

func TestEgressOptions(t *testing.T) {
	var c config
	if err := c.read("--egress-private 10.1.2.3/16, --egress-ports 9000"); err != nil {
		t.Fatal(err)
	}
	g, err := c.egress()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]core.ErrKind{
		"http://10.1.255.255:9000/": "",
		"http://10.2.0.0:9000/":     core.Denied,
		"http://10.1.0.0:9001/":     core.Denied,
		"https://example.com/":      "",
	} {
		if err := g.CheckURL(address); core.KindOf(err) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if p, err := networks("--proxies", " ::1/128 ,127.0.0.0/8"); err != nil || len(p) != 2 || p[0] != netip.MustParsePrefix("::1/128") {
		t.Error(p, err)
	}
}

func TestRateOptions(t *testing.T) {
	for args, want := range map[string][3]int64{
		"":                              {600, 60, 16},
		"--rate-user 1 --concurrency 0": {1, 60, 0},
		"--dev":                         {0, 0, 0},
		"--dev --rate-anonymous 7":      {0, 7, 0},
	} {
		var c config
		if err := c.read(args); err != nil || [3]int64{c.Rate, c.Anonymous, c.Concurrency} != want {
			t.Errorf("%q: %d %d %d, %v", args, c.Rate, c.Anonymous, c.Concurrency, err)
		}
	}
	t.Setenv("COLONNADE_RATE_USER", "5")
	var c config
	if err := c.read("--dev"); err != nil || c.Rate != 5 {
		t.Errorf("%d, %v", c.Rate, err)
	}
	t.Setenv("COLONNADE_RATE_USER", "many")
	if err := c.read("--dev"); core.KindOf(err) != core.Invalid {
		t.Error(err)
	}
}
