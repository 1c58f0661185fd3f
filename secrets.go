package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"colonnade/core"
	"colonnade/core/db"
	"colonnade/core/secret"
)

const secretsKeyUsage = "file of the keys that secrets are sealed with, which colonnade secrets new-key makes, outside of the folders of data and files (COLONNADE_SECRETS_KEY_FILE); or the keys themselves, separated by commas, in COLONNADE_SECRETS_KEYS"

// secretKeys returns the keys for secrets, nil when none are named.
func (c *config) secretKeys() (*secret.Keyring, error) {
	keys := os.Getenv("COLONNADE_SECRETS_KEYS")
	switch {
	case c.SecretsKey != "" && keys != "":
		return nil, core.E("main.secretKeys", core.Invalid, "name the keys for secrets once: --secrets-key and COLONNADE_SECRETS_KEY_FILE take a file, COLONNADE_SECRETS_KEYS takes the keys")
	case c.SecretsKey != "":
		return secret.ReadKeyring(c.SecretsKey, c.Data, c.filesFolder())
	case keys != "":
		return secret.ParseKeyring(keys)
	}
	return nil, nil
}

const secretsUsage = `colonnade secrets new-key FILE
       colonnade secrets rotate [options]
       colonnade secrets status [options]

new-key puts a new key first into FILE, which is made when it is not there. rotate puts all secrets of a database under the first key; the server of an embedded
database does it itself, with the action rotate_secrets. status tells under which keys they are`

func runSecrets(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("colonnade secrets", flag.ContinueOnError)
	what := ""
	if len(args) > 0 && args[0] != "--help" && args[0] != "-h" {
		what, args = args[0], args[1:]
	}
	if what == "new-key" {
		if err := operation(f, args, out, 1, secretsUsage); err != nil {
			return err
		}
		return newSecretKey(f.Arg(0), out)
	}
	named := placeFlags(f)
	var c config
	f.StringVar(&c.SecretsKey, "secrets-key", env("COLONNADE_SECRETS_KEY_FILE", ""), secretsKeyUsage)
	if err := operation(f, args, out, 0, secretsUsage); err != nil {
		return err
	}
	if what != "rotate" && what != "status" {
		return core.E("main.secrets", core.Invalid, "usage: "+secretsUsage)
	}
	keys, err := c.secretKeys()
	if err != nil {
		return err
	}
	return named().using(ctx, db.Options{ReadOnly: what == "status"}, func(ctx context.Context, copying *copying) error {
		s := secret.New(copying.db, keys)
		if what == "status" {
			return secretStatus(ctx, s, out)
		}
		n, err := s.Rotate(ctx)
		if err != nil {
			return err
		}
		say(out, "%s under another key before, all under %s now: other keys can be taken out of the key file\n", core.Count(n, "secret"), keys.Active())
		return nil
	})
}

func newSecretKey(file string, out io.Writer) error {
	id, err := secret.AddKey(file)
	if err != nil {
		return err
	}
	say(out, "The key %s is in %s. Keep a copy of the file, and not beside backups of the database: without it, secrets are lost\n", id, file)
	return nil
}

func secretStatus(ctx context.Context, s *secret.Store, out io.Writer) error {
	all, err := s.Status(ctx)
	if err != nil {
		return err
	}
	missing := 0
	for _, h := range all {
		note := ""
		if !h.There {
			note, missing = "  the key is not here", missing+h.Count
		}
		say(out, "%s  %s%s\n", h.Key, core.Count(h.Count, "secret"), note)
	}
	if missing > 0 {
		return core.E("main.secrets", core.Failed, fmt.Sprintf("%s cannot be opened: add the keys to the key file", core.Count(missing, "secret")))
	}
	return nil
}
