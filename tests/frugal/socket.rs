//! A whole node, with its socket, its timer and its task, on the thread that counts.

use allocation_counter::measure;
use mainstay_dht::Testnet;
use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use crate::queries::{self, KINDS, is_answer, item};

/// How often each kind is asked.
const TIMES: u8 = 200;

#[test]
fn a_node_on_a_socket_answers_without_the_allocator() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let testnet = runtime.block_on(Testnet::new(3)).unwrap();
    let (socket, stored) = (runtime.block_on(connect(&testnet)), item(1, 1));
    let mut buffer = [0; 2048];
    let mut ask = |query: &[u8]| runtime.block_on(exchange(&socket, query, &mut buffer));
    let token = queries::token(&ask(&queries::get(&stored)));
    assert!(is_answer(&ask(&queries::put(&token, &stored))));
    for kind in KINDS {
        let asked: Vec<_> =
            (0..TIMES).map(|turn| queries::query(kind, turn, &token, &stored)).collect();
        let mut buffer = [0; 2048];
        let taken = measure(|| {
            runtime.block_on(async {
                for query in &asked {
                    socket.send(query).await.unwrap();
                    socket.recv(&mut buffer).await.unwrap();
                }
            });
        });
        // What the runtime takes for itself now and then is not for an answer.
        assert!(taken.count_total < u64::from(TIMES) / 10, "{kind}: {taken:?}");
    }
    runtime.block_on(testnet.shutdown());
}

async fn connect(testnet: &Testnet) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(testnet.nodes.first().unwrap().local_addr()).await.unwrap();
    socket
}

async fn exchange(socket: &UdpSocket, query: &[u8], buffer: &mut [u8]) -> Vec<u8> {
    socket.send(query).await.unwrap();
    let length = socket.recv(buffer).await.unwrap();
    buffer[..length].to_vec()
}
