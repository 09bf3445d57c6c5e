package upstream

import (
	"encoding/binary"
	"math/bits"
)

// The primes of XXH64.
const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// XXHash is XXH64, with which Envoy places hosts on its rings and tables and
// hashes what a hash policy names; so a key finds the same host here as there.
func XXHash(s string, seed uint64) uint64 {
	b := []byte(s)
	h, rest := seed+prime5, b
	if len(b) >= 32 {
		h, rest = stripes(b, seed)
	}
	h += uint64(len(b))
	for ; len(rest) >= 8; rest = rest[8:] {
		h = bits.RotateLeft64(h^xxRound(0, binary.LittleEndian.Uint64(rest)), 27)*prime1 + prime4
	}
	if len(rest) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(rest))*prime1, 23)*prime2 + prime3
		rest = rest[4:]
	}
	for _, c := range rest {
		h = bits.RotateLeft64(h^uint64(c)*prime5, 11) * prime1
	}
	h = (h ^ h>>33) * prime2
	h = (h ^ h>>29) * prime3
	return h ^ h>>32
}

// stripes eats all whole stripes of 32 bytes.
func stripes(b []byte, seed uint64) (h uint64, rest []byte) {
	v := [4]uint64{seed + prime1, seed + prime2, seed, seed - prime1}
	v[0] += prime2
	for ; len(b) >= 32; b = b[32:] {
		for i := range v {
			v[i] = xxRound(v[i], binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	h = bits.RotateLeft64(v[0], 1) + bits.RotateLeft64(v[1], 7) + bits.RotateLeft64(v[2], 12) + bits.RotateLeft64(v[3], 18)
	for _, lane := range v {
		h = (h^xxRound(0, lane))*prime1 + prime4
	}
	return h, b
}

func xxRound(acc, input uint64) uint64 {
	return bits.RotateLeft64(acc+input*prime2, 31) * prime1
}
