// Package client is the built-in proxy's side of xDS v3: one aggregated stream
// to the control plane, in the state-of-the-world or the delta variant.
//
// It keeps the conversation: who asks (once a stream), for which names, which
// response is answered by what, what is held when the stream comes back. What
// the responses mean is the business of a Taker, which says whether each was
// accepted, and when.
//
//   - Every response gets an answer of its own, in the order in which they came:
//     an error is never put on a newer response that was good.
//   - An ACK may be held back, as Envoy's is for clusters that are warming. What
//     is newly asked for goes out before it, so that nobody waits for the other.
//   - When the stream ends, all that was accepted stays. The next one is tried
//     within half a second, and says what is held.
package client
