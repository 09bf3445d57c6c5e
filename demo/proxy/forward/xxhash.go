package forward

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

// xxHash is XXH64 with seed 0, by which Envoy's hash policies hash.
func xxHash(s string) uint64 { return xxHashFrom(0, s) }

// xxHashFrom is XXH64 with a seed.
func xxHashFrom(seed uint64, s string) uint64 {
	rest := []byte(s)
	hash := seed + prime5
	if len(rest) >= 32 {
		hash, rest = lanes(seed, rest)
	}
	hash += uint64(len(s))
	for ; len(rest) >= 8; rest = rest[8:] {
		hash ^= mix(0, binary.LittleEndian.Uint64(rest))
		hash = bits.RotateLeft64(hash, 27)*prime1 + prime4
	}
	if len(rest) >= 4 {
		hash ^= uint64(binary.LittleEndian.Uint32(rest)) * prime1
		hash = bits.RotateLeft64(hash, 23)*prime2 + prime3
		rest = rest[4:]
	}
	for _, c := range rest {
		hash ^= uint64(c) * prime5
		hash = bits.RotateLeft64(hash, 11) * prime1
	}
	hash = (hash ^ hash>>33) * prime2
	hash = (hash ^ hash>>29) * prime3
	return hash ^ hash>>32
}

// lanes takes in all the blocks of 32 bytes.
func lanes(seed uint64, b []byte) (hash uint64, rest []byte) {
	lane := [4]uint64{seed + prime1, seed + prime2, seed, seed - prime1}
	lane[0] += prime2
	for ; len(b) >= 32; b = b[32:] {
		for i := range lane {
			lane[i] = mix(lane[i], binary.LittleEndian.Uint64(b[8*i:]))
		}
	}
	hash = bits.RotateLeft64(lane[0], 1) + bits.RotateLeft64(lane[1], 7) + bits.RotateLeft64(lane[2], 12) + bits.RotateLeft64(lane[3], 18)
	for _, l := range lane {
		hash = (hash^mix(0, l))*prime1 + prime4
	}
	return hash, b
}

func mix(lane, input uint64) uint64 { return bits.RotateLeft64(lane+input*prime2, 31) * prime1 }
