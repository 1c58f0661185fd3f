// Package secret keeps what a server must be able to read again, such as the secret of a second factor or of an identity
// provider, so that who has the database or a backup alone cannot.
//
// Each secret is sealed in an envelope: AES-256-GCM under a key of its own, and that key under the first key of a [Keyring],
// which is kept outside of the database. An envelope says by which key it can be opened, and opens only as the secret that
// it was sealed as.
//
// It never logs a secret or a key, and no error holds one.
package secret
