//! The WASI test's native Rust server: GET /health, 404 otherwise, a kill port, graceful stop.
use bytes::Bytes;
use http_body_util::Full;
use hyper::{body::Incoming, Method, Request, Response, StatusCode};
use tokio::{io::AsyncWriteExt, net::TcpListener};
use tollgate_baselines::{address, serve, terminated};

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() == Method::GET && request.uri().path() == "/health" {
        return Response::new(Full::new(Bytes::new()));
    }
    let mut response = Response::new(Full::new(Bytes::from_static(b"Not found")));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Completes when the first TCP connection to the kill port has had its answer.
async fn killed(listener: TcpListener) {
    if let Ok((mut stream, _)) = listener.accept().await {
        let _ = stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nShutting down")
            .await;
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(address("LISTEN", "127.0.0.1:8080")).await?;
    let kill = TcpListener::bind(address("KILL_LISTEN", "127.0.0.1:8081")).await?;
    let stop = async {
        tokio::select! {
            () = killed(kill) => {}
            () = terminated() => {}
        }
    };
    serve(listener, answer, stop).await;
    Ok(())
}
