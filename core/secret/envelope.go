package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"colonnade/core"
)

// An envelope is the text "cs1.KEY.WRAPPED.SEALED": the id of the key of the ring, the key of this one secret under it, and the
// secret under that; both parts are AES-256-GCM, nonce first, in base64. What the secret is about is authenticated with
// both, so that an envelope does not open in the place of another one.
const version = "cs1"

var encoding = base64.RawURLEncoding.Strict() // one text for the same bytes

// seal returns the envelope of a secret.
func (k *Keyring) seal(about string, plain []byte) (string, error) {
	master, err := k.first()
	if err != nil {
		return "", err
	}
	own := make([]byte, keySize)
	_, _ = rand.Read(own) // never fails
	return join(master.id, encrypt(master.bytes[:], about, own), encrypt(own, about, plain)), nil
}

// open returns the secret of an envelope.
func (k *Keyring) open(about, envelope string) ([]byte, error) {
	const op = "secret.Open"
	own, sealed, err := k.unwrap(about, envelope)
	if err != nil {
		return nil, err
	}
	plain, err := decrypt(own, about, sealed)
	if err != nil {
		return nil, core.E(op, fmt.Errorf("the secret of %s does not open: the database was changed past Colonnade", about))
	}
	return plain, nil
}

// rewrap returns the envelope under the first key of the ring, and whether it was under another one.
func (k *Keyring) rewrap(about, envelope string) (string, bool, error) {
	master, err := k.first()
	if err != nil {
		return "", false, err
	}
	if keyOf(envelope) == master.id {
		return envelope, false, nil
	}
	own, sealed, err := k.unwrap(about, envelope)
	if err != nil {
		return "", false, err
	}
	return join(master.id, encrypt(master.bytes[:], about, own), sealed), true, nil
}

// unwrap returns the key of a secret, and the secret as it is sealed with that.
func (k *Keyring) unwrap(about, envelope string) (own, sealed []byte, err error) {
	const op = "secret.Open"
	id, wrapped, sealed, err := split(envelope)
	if err != nil {
		return nil, nil, core.E(op, fmt.Errorf("the secret of %s: %w", about, err))
	}
	master, ok := k.find(id)
	if !ok {
		return nil, nil, core.E(op, core.Unavailable, fmt.Sprintf("a secret cannot be opened, since this server does not have the key %s: add it to the file of --secrets-key, or set the secret anew", id))
	}
	own, err = decrypt(master.bytes[:], about, wrapped)
	if err != nil || len(own) != keySize {
		return nil, nil, core.E(op, fmt.Errorf("the secret of %s does not open: the database was changed past Colonnade", about))
	}
	return own, sealed, nil
}

func join(id string, wrapped, sealed []byte) string {
	return strings.Join([]string{version, id, encoding.EncodeToString(wrapped), encoding.EncodeToString(sealed)}, ".")
}

func split(envelope string) (id string, wrapped, sealed []byte, err error) {
	parts := strings.Split(envelope, ".")
	if len(parts) != 4 || parts[0] != version {
		return "", nil, nil, fmt.Errorf("it is no envelope of the form %s", version)
	}
	if wrapped, err = encoding.DecodeString(parts[2]); err == nil {
		sealed, err = encoding.DecodeString(parts[3])
	}
	return parts[1], wrapped, sealed, err
}

// keyOf returns the id of the key that an envelope is under.
func keyOf(envelope string) string {
	id, _, _, _ := split(envelope)
	return id
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length of the key is ours
	}
	a, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return a
}

func encrypt(key []byte, about string, plain []byte) []byte {
	return gcm(key).Seal(nil, nil, plain, []byte(about))
}

func decrypt(key []byte, about string, sealed []byte) ([]byte, error) {
	return gcm(key).Open(nil, nil, sealed, []byte(about))
}
