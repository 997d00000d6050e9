// Command server is what Setscrew's admission server is measured against: the least that an admission webhook in Go can
// do. It decodes an AdmissionReview untyped, looks the object up in a map, compares one field and answers.
//
// It must not do anything clever: it stands for what the standard library gives to whoever writes a webhook in an hour.
package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

const maxBody = 19 << 20

// declared is the one field of an object that the server holds: where it stands, and what Git says.
type declared struct {
	Key   string   `json:"key"`
	Path  []string `json:"path"`
	Value string   `json:"value"`
}

type server struct {
	objects map[string]declared
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	certificate := flag.String("certificate", "", "PEM file")
	key := flag.String("key", "", "PEM file")
	objects := flag.String("objects", "", "file of declared objects, one JSON object a line")
	flag.Parse()

	held, err := read(*objects)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	http.Handle("POST /", &server{held})
	serving := &http.Server{
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       120 * time.Second,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	log.Fatal(serving.ServeTLS(listener, *certificate, *key))
}

func read(path string) (map[string]declared, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	held := map[string]declared{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one declared
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			return nil, err
		}
		held[one.Key] = one
	}
	return held, lines.Err()
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		http.Error(w, "not JSON", http.StatusBadRequest)
		return
	}
	request, ok := review["request"].(map[string]any)
	if !ok {
		http.Error(w, "not a review", http.StatusBadRequest)
		return
	}
	answer, err := json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1",
		"kind":       "AdmissionReview",
		"response":   s.judge(request),
	})
	if err != nil {
		http.Error(w, "no answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(answer)
}

func (s *server) judge(request map[string]any) map[string]any {
	response := map[string]any{"uid": request["uid"], "allowed": true}
	resource, _ := request["resource"].(map[string]any)
	key := fmt.Sprintf("%v/%v/%v/%v", resource["group"], resource["resource"], request["namespace"], request["name"])
	held, ok := s.objects[key]
	if !ok {
		return response
	}
	if found := value(request["object"], held.Path); found != held.Value {
		response["allowed"] = false
		response["status"] = map[string]any{
			"code":    403,
			"message": fmt.Sprintf("%s: Git says %q, the request %v", key, held.Value, found),
		}
	}
	return response
}

func value(tree any, path []string) any {
	for _, part := range path {
		switch node := tree.(type) {
		case map[string]any:
			tree = node[part]
		case []any:
			index, err := strconv.Atoi(part)
			if err != nil || index >= len(node) {
				return nil
			}
			tree = node[index]
		default:
			return nil
		}
	}
	return tree
}
