// Copyright 2026 The MTLS for OpenSSL authors.
// SPDX-License-Identifier: Apache-2.0

// What ../mux.c does, with yamux over crypto/tls.
//
//	yamux server CERT KEY
//	yamux open PORT CERT AT_ONCE SECONDS
//	yamux ping|bulk|both PORT CERT SECONDS
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	octets = 64
	piece  = 16384
	warmUp = 200 * time.Millisecond
	// The first octet of a stream says what is wanted.
	once, echo, sink = 'o', 'e', 's'
	// The last octet of bulk data: yamux says that a stream has ended once
	// it was closed at this end, so the server is to say that it has all.
	last = 'l'
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// figures prints what samples.c does.
func figures(took []time.Duration, elapsed time.Duration) {
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	at := func(percent int) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[len(took)*percent/100].Nanoseconds()) / 1e3
	}
	fmt.Printf("count %d rate %.1f p50 %.1f p99 %.1f failed 0\n", len(took),
		float64(len(took))/elapsed.Seconds(), at(50), at(99))
}

func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	return c
}

// --- the server

func serveStream(s net.Conn) {
	defer s.Close()
	buf := make([]byte, 4*piece)
	if _, err := io.ReadFull(s, buf[:1]); err != nil {
		return
	}
	kind := buf[0]
	for {
		if kind == sink {
			n, err := s.Read(buf)
			if err != nil {
				return
			}
			if buf[n-1] == last {
				s.Write(buf[:1])
			}
			continue
		}
		if _, err := io.ReadFull(s, buf[:octets]); err != nil {
			return
		}
		if _, err := s.Write(buf[:octets]); err != nil || kind == once {
			return
		}
	}
}

func serve(cert, key string) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	for {
		c, err := l.Accept()
		must(err)
		session, err := yamux.Server(tls.Server(c, &tls.Config{
			Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}), config())
		must(err)
		for {
			s, err := session.AcceptStream()
			if err != nil {
				break
			}
			go serveStream(s)
		}
		session.Close()
	}
}

// --- the client

func connect(port, cert string) *yamux.Session {
	pem, err := os.ReadFile(cert)
	must(err)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		log.Fatal("no certificate in ", cert)
	}
	c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{
		RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13})
	must(err)
	session, err := yamux.Client(c, config())
	must(err)
	return session
}

func openOnce(session *yamux.Session) time.Duration {
	var buf [1 + octets]byte
	begun := time.Now()
	s, err := session.OpenStream()
	must(err)
	buf[0] = once
	_, err = s.Write(buf[:])
	must(err)
	_, err = io.ReadFull(s, buf[:octets])
	must(err)
	took := time.Since(begun)
	s.Close()
	return took
}

func openOften(session *yamux.Session, atOnce int, length time.Duration) {
	var all []time.Duration
	var lock sync.Mutex
	var done sync.WaitGroup
	start := time.Now()
	for i := 0; i < atOnce; i++ {
		done.Add(1)
		go func() {
			defer done.Done()
			var own []time.Duration
			for time.Since(start) < length {
				own = append(own, openOnce(session))
			}
			lock.Lock()
			all = append(all, own...)
			lock.Unlock()
		}()
	}
	done.Wait()
	figures(all, time.Since(start))
}

// ping goes on until end, and tells how long those took that began at from or
// later.
func ping(session *yamux.Session, from, end time.Time) []time.Duration {
	var took []time.Duration
	var buf [octets]byte
	s, err := session.OpenStream()
	must(err)
	defer s.Close()
	_, err = s.Write([]byte{echo})
	must(err)
	for now := time.Now(); now.Before(end); {
		asked := now
		_, err = s.Write(buf[:])
		must(err)
		_, err = io.ReadFull(s, buf[:])
		must(err)
		now = time.Now()
		if !asked.Before(from) {
			took = append(took, now.Sub(asked))
		}
	}
	return took
}

// bulk sends what the stream takes until end; MB/s until all were read.
func bulk(session *yamux.Session, end time.Time) float64 {
	buf := make([]byte, piece)
	buf[0] = sink
	sent := 0
	s, err := session.OpenStream()
	must(err)
	start := time.Now()
	for time.Now().Before(end) {
		n, err := s.Write(buf)
		must(err)
		sent += n
	}
	_, err = s.Write([]byte{last})
	must(err)
	_, err = io.ReadFull(s, buf[:1])
	must(err)
	s.Close()
	return float64(sent) / time.Since(start).Seconds() / 1e6
}

func traffic(session *yamux.Session, mode string, length time.Duration) {
	var took []time.Duration
	var rate float64
	var done sync.WaitGroup
	from := time.Now().Add(warmUp)
	end := from.Add(length)
	if mode != "ping" {
		done.Add(1)
		go func() {
			defer done.Done()
			rate = bulk(session, end)
		}()
	}
	if mode != "bulk" {
		took = ping(session, from, end)
	}
	done.Wait()
	figures(took, length)
	if mode != "ping" {
		fmt.Printf("bulk %.1f\n", rate)
	}
}

func main() {
	args := os.Args[1:]
	if len(args) == 3 && args[0] == "server" {
		serve(args[1], args[2])
	}
	if len(args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: yamux server CERT KEY | "+
			"open PORT CERT AT_ONCE SECONDS | ping|bulk|both PORT CERT SECONDS")
		os.Exit(2)
	}
	seconds, err := strconv.ParseFloat(args[len(args)-1], 64)
	must(err)
	length := time.Duration(seconds * float64(time.Second))
	session := connect(args[1], args[2])
	defer session.Close()
	if args[0] == "open" {
		atOnce, err := strconv.Atoi(args[3])
		must(err)
		openOften(session, atOnce, length)
	} else {
		traffic(session, args[0], length)
	}
}
