package pseudonym

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"math/big"
)

// KeySize is how many bytes a key has.
const KeySize = 32

// Key makes pseudonyms. It may be used by several goroutines.
type Key struct{ block cipher.Block }

// NewKey returns a key of random bytes, which nobody else has.
func NewKey() *Key {
	raw := make([]byte, KeySize)
	_, _ = rand.Read(raw) // never fails: crypto/rand
	return KeyOf([KeySize]byte(raw))
}

// KeyOf returns the key of the given bytes.
func KeyOf(raw [KeySize]byte) *Key {
	block, err := aes.NewCipher(raw[:])
	if err != nil {
		panic(err) // for another size only
	}
	return &Key{block}
}

// rounds is how often the halves are mixed. Ten are what NIST SP 800-38G has for FF1.
const rounds = 10

// permute returns the number that a permutation of the numbers below n has in the place of x. Each tweak has a permutation of its own.
// It is a Feistel network over the next power of four, which is repeated until it yields a number below n: see Black and
// Rogaway, Ciphers with Arbitrary Finite Domains (2002).
func (k *Key) permute(tweak uint64, x, n *big.Int) *big.Int {
	if n.Cmp(one) <= 0 {
		return x
	}
	half := uint(new(big.Int).Sub(n, one).BitLen()+1) / 2
	mask := new(big.Int).Sub(new(big.Int).Lsh(one, half), one)
	left, right, mixed := new(big.Int), new(big.Int), new(big.Int)
	out := new(big.Int).Set(x)
	for {
		left.Rsh(out, half)
		right.And(out, mask)
		for round := range rounds {
			k.mix(mixed, tweak, round, right, half)
			left.Xor(left, mixed)
			left, right = right, left
		}
		out.Lsh(left, half).Or(out, right)
		if out.Cmp(n) < 0 {
			return out
		}
	}
}

var one = big.NewInt(1)

// mix sets out to so many bits that depend on everything else: a CBC-MAC over the half, stretched by counting.
func (k *Key) mix(out *big.Int, tweak uint64, round int, half *big.Int, bits uint) {
	size := int(bits+7) / 8
	text := make([]byte, size)
	half.FillBytes(text)
	var state [aes.BlockSize]byte
	binary.BigEndian.PutUint64(state[:], tweak)
	state[8] = byte(round)
	binary.BigEndian.PutUint32(state[12:], uint32(bits))
	k.block.Encrypt(state[:], state[:])
	for len(text) > 0 {
		n := min(len(text), aes.BlockSize)
		for i := range n {
			state[i] ^= text[i]
		}
		k.block.Encrypt(state[:], state[:])
		text = text[n:]
	}
	stream := make([]byte, 0, size+aes.BlockSize)
	for count := uint64(0); len(stream) < size; count++ {
		next := state
		binary.BigEndian.PutUint64(next[8:], binary.BigEndian.Uint64(next[8:])^(count+1))
		k.block.Encrypt(next[:], next[:])
		stream = append(stream, next[:]...)
	}
	out.SetBytes(stream[:size])
	if extra := uint(size)*8 - bits; extra > 0 {
		out.Rsh(out, extra)
	}
}

// Pick returns a number below n that depends on the texts, and on nothing else.
func (k *Key) Pick(n uint64, texts ...string) uint64 {
	var state [aes.BlockSize]byte
	state[15] = 1 // what permutations begin with has other bytes here, or none at 8
	state[8] = 0xff
	for _, text := range texts {
		binary.BigEndian.PutUint64(state[:8], binary.BigEndian.Uint64(state[:8])^uint64(len(text)))
		k.block.Encrypt(state[:], state[:])
		for len(text) > 0 {
			var part [aes.BlockSize]byte
			text = text[copy(part[:], text):]
			for i := range part {
				state[i] ^= part[i]
			}
			k.block.Encrypt(state[:], state[:])
		}
	}
	return binary.BigEndian.Uint64(state[:8]) % n
}
