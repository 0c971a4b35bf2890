// The WASI test's Go server: GET /health as JSON, 404 otherwise, a kill port, graceful stop.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const drainLimit = 10 * time.Second

func address(variable, fallback string) string {
	if value, ok := os.LookupEnv(variable); ok {
		return value
	}
	return fallback
}

func health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(map[string]string{"message": "Hello, World!"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Write(body)
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte("Not found"))
}

// killed sends on stop when the first TCP connection to the kill port has had its answer.
func killed(listener net.Listener, stop chan<- os.Signal) {
	connection, err := listener.Accept()
	if err != nil {
		return
	}
	connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nShutting down"))
	connection.Close()
	stop <- syscall.SIGTERM
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("/", notFound)
	server := &http.Server{Addr: address("LISTEN", "127.0.0.1:8080"), Handler: mux}

	kill, err := net.Listen("tcp", address("KILL_LISTEN", "127.0.0.1:8081"))
	if err != nil {
		log.Fatal(err)
	}
	stop := make(chan os.Signal, 2)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go killed(kill, stop)

	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-stop
	drain, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		log.Fatal(err)
	}
}
