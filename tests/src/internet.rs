//! An internet of up to thirty million Mainline nodes, of which none exists until somebody speaks to it.
//!
//! Separate from the virtual network, which knows no protocol: this is what stands behind its addresses. A node costs
//! eight bytes: its place among the sorted ids. Its address, its program, whether it is gone, and whom its table holds
//! are worked out from the seed each time it is asked; only what is stored at it takes memory. One lookup of a real
//! node then costs a few hundred microseconds, and ten million nodes fit in a hundred megabytes.
//!
//! [`World`] puts real [`Node`](mainstay_dht_proto::Node)s in front of it.

mod answers;
mod census;
mod floor;
mod path;
mod shelf;
mod spending;
mod tables;
mod trial;
mod world;

pub use answers::Internet;
pub use census::{Census, Number, Program, Terrain};
pub use floor::Floor;
pub use path::Path;
pub use spending::Spending;
pub use trial::{Figures, Quantiles, Series};
pub use world::{Guest, World, address, home_address};
