// Command load sends one request over and over, as kube-apiserver's webhook client would: HTTP/1.1, at most 25 idle
// connections, no TLS session cache. It checks every answer and prints what it has seen as JSON.
//
// It must not know what it talks to: paths, bodies and what an answer must hold are given.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const idleConnections = 25

// shot is one kind of request, and what its answer must hold.
type shot struct {
	method, contentType string
	urls                []string
	body, expect        []byte
	status              int
}

// result is what is printed. Times are in milliseconds and of right answers only.
type result struct {
	Requests  int     `json:"requests"`
	Errors    int     `json:"errors"`
	Error     string  `json:"error"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Most      float64 `json:"most"`
	Beside    int     `json:"beside"`
}

func main() {
	urls := flag.String("urls", "", "URLs that are asked in turns, with commas between them")
	method := flag.String("method", http.MethodPost, "HTTP method")
	contentType := flag.String("type", "application/json", "content type")
	body := flag.String("body", "", "file; @N@ in it becomes the number of the request")
	expect := flag.String("expect", "", "what every answer must hold")
	status := flag.Int("status", http.StatusOK, "the status that every answer must have")
	ca := flag.String("ca", "", "PEM file of the authorities that are trusted")
	certificate := flag.String("certificate", "", "PEM file of the client")
	key := flag.String("key", "", "PEM file of the client")
	connections := flag.Int("connections", 1, "requests at a time")
	seconds := flag.Float64("seconds", 0, "how long")
	requests := flag.Int64("requests", 0, "how many; 0: as many as fit into the time")
	rate := flag.Float64("rate", 0, "requests a second in all; 0: each after the one before")
	fresh := flag.Bool("fresh", false, "a new connection for each request")
	beside := flag.String("beside", "", "file of a body that another connection sends all the time")
	besideURL := flag.String("beside-url", "", "where to")
	besideExpect := flag.String("beside-expect", "", "what each of its answers must hold")
	flag.Parse()

	client := newClient(*ca, *certificate, *key, *fresh)
	small := shot{*method, *contentType, strings.Split(*urls, ","), must(os.ReadFile(*body)), []byte(*expect), *status}
	ctx, stop := context.WithCancel(context.Background())
	var stream sync.WaitGroup
	var big int64
	if *beside != "" {
		other := shot{http.MethodPost, *contentType, []string{*besideURL}, must(os.ReadFile(*beside)), []byte(*besideExpect), http.StatusOK}
		if err := other.fire(client, 0); err != nil {
			log.Fatal(err)
		}
		stream.Go(func() {
			for ctx.Err() == nil {
				if err := other.fire(client, 0); err != nil {
					log.Fatal(err)
				}
				big++
			}
		})
	}
	pace := pacer(*rate)
	found := run(client, small, *connections, time.Duration(*seconds*float64(time.Second)), *requests, pace)
	stop()
	stream.Wait()
	found.Beside = int(big)
	must(os.Stdout.Write(must(json.Marshal(found))))
}

func newClient(ca, certificate, key string, fresh bool) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(must(os.ReadFile(ca)))
	settings := &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}
	if certificate != "" {
		settings.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(certificate, key))}
	}
	transport := &http.Transport{
		TLSClientConfig:     settings,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: idleConnections,
		IdleConnTimeout:     90 * time.Second,
		DisableKeepAlives:   fresh,
		TLSNextProto:        map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// pacer gives the moment at which request n is due; nil without a rate.
func pacer(rate float64) func(n int64) time.Time {
	if rate == 0 {
		return nil
	}
	began := time.Now()
	return func(n int64) time.Time { return began.Add(time.Duration(float64(n) / rate * float64(time.Second))) }
}

func run(client *http.Client, one shot, connections int, length time.Duration, most int64, due func(int64) time.Time) result {
	var number atomic.Int64
	var lock sync.Mutex
	var all []time.Duration
	var found result
	var workers sync.WaitGroup
	began := time.Now()
	for range connections {
		workers.Go(func() {
			var times []time.Duration
			var failed int
			var text string
			for {
				n := number.Add(1) - 1
				if most > 0 && n >= most || length > 0 && time.Since(began) >= length {
					break
				}
				if due != nil {
					time.Sleep(time.Until(due(n)))
				}
				sent := time.Now()
				if err := one.fire(client, n); err != nil {
					failed, text = failed+1, err.Error()
					continue
				}
				times = append(times, time.Since(sent))
			}
			lock.Lock()
			defer lock.Unlock()
			all = append(all, times...)
			if failed > 0 {
				found.Errors, found.Error = found.Errors+failed, text
			}
		})
	}
	workers.Wait()
	found.Seconds = time.Since(began).Seconds()
	found.Requests = len(all)
	found.PerSecond = float64(len(all)) / found.Seconds
	slices.Sort(all)
	found.P50, found.P99, found.Most = quantile(all, 50), quantile(all, 99), quantile(all, 100)
	return found
}

func quantile(sorted []time.Duration, percent int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := min(len(sorted)-1, len(sorted)*percent/100)
	return float64(sorted[at].Microseconds()) / 1000
}

func (s *shot) fire(client *http.Client, n int64) error {
	body := s.body
	if s.method != http.MethodPost {
		body = bytes.ReplaceAll(body, []byte("@N@"), strconv.AppendInt(nil, n, 10))
	}
	url := s.urls[n%int64(len(s.urls))]
	request, err := http.NewRequest(s.method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", s.contentType)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != s.status || !bytes.Contains(answer, s.expect) {
		return fmt.Errorf("status %d: %.300s", response.StatusCode, answer)
	}
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
