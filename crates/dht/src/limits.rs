//! Limits that change while a node runs.
//! Separate from what a handle asks of a node, because this is about what strangers ask of it.

use mainstay_dht_proto::LimitConfig;

use crate::blocking::DhtBlocking;
use crate::error::LimitsError;
use crate::handle::Dht;

impl Dht {
    /// Sends strangers no more than `limits` from now on, in the place of what
    /// [`DhtBuilder::limits`](crate::DhtBuilder::limits) said. Holds for this node and its [homes](Self::homes), from the
    /// next datagram on; does not wait, and the last of several calls counts.
    ///
    /// Nothing is forgotten by it: whoever has proven its address stays proven, tokens stay good, and who was over
    /// budget earns it back at the new rate. Matters in server mode only.
    ///
    /// # Errors
    ///
    /// [`LimitsError`], if the limits make no sense or the node is gone; then nothing has changed.
    ///
    /// # Example
    ///
    /// ```
    /// use mainstay_dht::{Dht, LimitConfig};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dht = Dht::builder().no_bootstrap().bind("127.0.0.1:0".parse()?).server_mode(true).build()?;
    /// // The uplink is needed for something else: a tenth of what is sent otherwise.
    /// dht.set_limits(LimitConfig { bytes_in_total: 100_000, ..dht.limits() })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_limits(&self, limits: LimitConfig) -> Result<(), LimitsError> {
        limits.check()?;
        for home in self.homes() {
            // It ends with this node, and what is told to a node that is gone does no harm.
            home.switch_limits(limits.clone());
        }
        if self.switch_limits(limits) { Ok(()) } else { Err(LimitsError::Shutdown) }
    }
}

impl DhtBlocking {
    /// As [`Dht::set_limits`].
    ///
    /// # Errors
    ///
    /// [`LimitsError`].
    pub fn set_limits(&self, limits: LimitConfig) -> Result<(), LimitsError> {
        self.as_async().set_limits(limits)
    }

    /// As [`Dht::limits`].
    pub fn limits(&self) -> LimitConfig {
        self.as_async().limits()
    }
}
