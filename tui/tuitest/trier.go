package tuitest

import (
	"context"
	"sync"

	"example.com/meshtui/engine/match"
)

// Sent is a request that was asked to be sent, and the channel for its answer,
// which a test makes as it likes.
type Sent[T any] struct {
	Node    string
	Request match.Request
	Context context.Context
	answer  chan T
}

// Answer ends the wait for the request.
func (s *Sent[T]) Answer(t T) { s.answer <- t }

// Trier holds back every answer until the test gives it. T is the screen's type
// for what came of a request.
type Trier[T any] struct {
	mu   sync.Mutex
	sent []*Sent[T]
	// At once, when it is set, answers without waiting.
	AtOnce func(node string, r match.Request) T
	// Arrived gets each request as it comes.
	Arrived chan *Sent[T]
}

// NewTrier has room for more requests than a test sends.
func NewTrier[T any]() *Trier[T] { return &Trier[T]{Arrived: make(chan *Sent[T], 64)} }

// Try notes the request and waits for the test's answer, or for ctx.
func (t *Trier[T]) Try(ctx context.Context, node string, r match.Request) T {
	s := &Sent[T]{Node: node, Request: r, Context: ctx, answer: make(chan T, 1)}
	t.mu.Lock()
	t.sent = append(t.sent, s)
	t.mu.Unlock()
	if t.AtOnce != nil {
		return t.AtOnce(node, r)
	}
	t.Arrived <- s
	select {
	case a := <-s.answer:
		return a
	case <-ctx.Done():
		var none T
		return none
	}
}

// Sent are the requests so far.
func (t *Trier[T]) Sent() []*Sent[T] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*Sent[T](nil), t.sent...)
}
