// The WASI test's Node server: GET /health as JSON, 404 otherwise, a kill port, graceful stop.
import http from 'node:http'
import net from 'node:net'

const listenOn = (server, text) => {
  const colon = text.lastIndexOf(':')
  server.listen(Number(text.slice(colon + 1)), text.slice(0, colon))
}

const server = http.createServer((request, response) => {
  if (request.method === 'GET' && request.url.split('?')[0] === '/health') {
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify({ hello: 'world' }))
  } else {
    response.writeHead(404)
    response.end('Not found')
  }
})

const stop = () => {
  kill.close()
  server.close()
  server.closeIdleConnections()
}

const kill = net.createServer(socket => {
  socket.end('HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nShutting down')
  stop()
})

listenOn(kill, process.env.KILL_LISTEN ?? '127.0.0.1:8081')
listenOn(server, process.env.LISTEN ?? '127.0.0.1:8080') // last: who finds it open may ask either
process.once('SIGTERM', stop)
process.once('SIGINT', stop)
