//! The Kubernetes demo's native server: any request gets `echo: ` and its own body.
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tollgate_baselines::{serve, terminated};

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    match request.into_body().collect().await {
        Ok(body) => {
            let body = body.to_bytes();
            let mut echo = BytesMut::with_capacity(6 + body.len());
            echo.put_slice(b"echo: ");
            echo.put(body);
            Response::new(Full::new(echo.freeze()))
        }
        Err(_) => {
            let mut response = Response::new(Full::new(Bytes::from_static(b"the body could not be read")));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let port = std::env::var("PORT").unwrap_or_else(|_| "1234".to_owned());
    let listener = TcpListener::bind(format!("{host}:{port}")).await?;
    serve(listener, answer, terminated()).await;
    Ok(())
}
