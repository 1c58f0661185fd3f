package tables

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"time"

	"colonnade/core"
)

// SignedHead says that the chain of seals ended so at some time, signed by the database that it is of (Ed25519, RFC 8032). Kept
// elsewhere it shows later whether the history is still what it was, and that nobody made it up.
type SignedHead struct {
	Head      string    `json:"head"` // the hash of the last seal
	Seal      int64     `json:"seal"` // and its number
	SealedAt  time.Time `json:"sealed_at"`
	SignedAt  time.Time `json:"signed_at"`
	Signer    string    `json:"signer"` // the public key, in base64url
	Signature string    `json:"signature"`
}

const (
	headForm = "colonnade head 1\n"
	// headSecret is the kind of the secret that the seed of the signing key is.
	headSecret = "head_signer"
)

// message is what is signed.
func (h *SignedHead) message() []byte {
	s := sealing{b: []byte(headForm)}
	s.text(h.Head, h.Signer)
	s.number(h.Seal)
	s.number(h.SealedAt.UnixMicro())
	s.number(h.SignedAt.UnixMicro())
	return s.b
}

// Check returns an error when the head is not what its signer signed. Whether the signer is who he should be is for the caller to
// know.
func (h *SignedHead) Check() error {
	const op = "tables.SignedHead"
	key, err := base64.RawURLEncoding.DecodeString(h.Signer)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return core.E(op, core.Invalid, "the signer is no public key")
	}
	signature, err := base64.RawURLEncoding.DecodeString(h.Signature)
	if err != nil || !ed25519.Verify(key, h.message(), signature) {
		return core.E(op, core.Failed, "the signature is wrong: the head was changed after it was signed")
	}
	return nil
}

// SignHead signs the end of the chain of seals. It needs a key for secrets, with which the signing key is sealed.
func (s *Store) SignHead(ctx context.Context) (*SignedHead, error) {
	const op = "tables.SignHead"
	if err := s.secrets.Ready(); err != nil {
		return nil, core.E(op, err)
	}
	last, err := lastSeal(ctx, s.conn(ctx), s.db.Dialect)
	if err != nil {
		return nil, core.E(op, err)
	}
	if last.number == 0 {
		return nil, core.E(op, core.NotFound, "nothing is sealed yet: try again in a second")
	}
	key, err := s.headSigner(ctx)
	if err != nil {
		return nil, core.E(op, err)
	}
	h := &SignedHead{
		Head: last.head.String(), Seal: last.number, SealedAt: time.UnixMicro(last.at).UTC(), SignedAt: time.Now().UTC().Truncate(time.Microsecond),
		Signer: base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
	}
	h.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, h.message()))
	return h, nil
}

// headSigner returns the key of this database that signs, which is made when it is first asked for.
func (s *Store) headSigner(ctx context.Context) (ed25519.PrivateKey, error) {
	seed, err := s.secrets.Get(s.Gorm(ctx), headSecret, core.SystemID)
	if core.KindOf(err) == core.NotFound {
		err = s.Tx(ctx, TxOptions{}, func(ctx context.Context, tx *Tx) error {
			if err := tx.lockAudit(ctx); err != nil { // another process may be making it
				return err
			}
			seed, err = s.secrets.Get(tx.db.Gorm(ctx), headSecret, core.SystemID)
			if core.KindOf(err) != core.NotFound {
				return err
			}
			seed = make([]byte, ed25519.SeedSize)
			_, _ = rand.Read(seed) // never fails
			return s.secrets.Put(ctx, tx.db, headSecret, core.SystemID, seed)
		})
	}
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func (s *Store) signHead() core.Action {
	return core.Action{
		Name: "sign_head", Privilege: "verify_history", Doc: "Signs where the chain of seals of the history ends, to be kept elsewhere: colonnade verify --signed takes it.",
		Output: []core.Column{
			required(text("head", "The hash of the last seal.")), {Name: "seal", Kind: core.Integer, Required: true, Doc: "Its number."},
			{Name: "sealed_at", Kind: core.Timestamp, Required: true, Doc: "When it was made."}, {Name: "signed_at", Kind: core.Timestamp, Required: true, Doc: "When it was signed."},
			required(text("signer", "The public key of this database (Ed25519, base64url): note it once, from a source that you trust.")), required(text("signature", "The signature.")),
		},
		Examples: []core.Example{{In: core.Record{}}},
		Run: func(ctx context.Context, _ core.Call) (core.Record, error) {
			h, err := s.SignHead(ctx)
			if err != nil {
				return nil, core.E("tables.sign_head", err)
			}
			return core.Record{"head": h.Head, "seal": h.Seal, "sealed_at": h.SealedAt, "signed_at": h.SignedAt, "signer": h.Signer, "signature": h.Signature}, nil
		},
	}
}
